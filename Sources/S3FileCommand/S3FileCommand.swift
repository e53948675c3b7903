@main struct S3FileCommand { static func main() {} }
