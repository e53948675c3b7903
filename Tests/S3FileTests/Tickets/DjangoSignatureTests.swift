@testable import S3File
import Testing

@Suite struct DjangoSignatureTests {
    private let django = DjangoSignature(secret: "SuperSecretKey")

    /// As django-s3file 7.0.3 signs them.
    @Test(arguments: [
        ("test/test", "a8KINhIf1IpSD5sgdXE4wEQodZorq_8CmwkqZ5V6nr4"),
        ("custom/location/tmp/s3file", "VRIPlI1LCjUh1EtplrgxQrG8gSAaIwT48mMRlwaCytI"),
        ("tmp/s3file", "pJYaM4x7RzLDLVXWuphK2dMqqc0oLr_jZFasfGU7BhU"),
        ("tmp/s3file/3eQhp96XSWetQpgUUBfsXw", "1yXcssDQYqSJfLbu0SKdNZg6m9qaqkk9zTX4fQcgSzg"),
        ("tmp/s3file/ünïcode folder", "6Y1IYWKzt3dYgBe93Er4eMWBEBLwiMuKSsnCdnBRorg"),
        ("tmp/s3file/AbC", "PdOGhXr7WJCbB9pcArIG2b1ptNCgHpzhjWY1P8HMyTM"),
    ])
    func `folders are signed as Django signs them`(folder: String, signature: String) {
        #expect(self.django.signature(of: folder) == signature)
        #expect(self.django.isValid(signature, of: folder))
        #expect(!self.django.isValid(signature, of: folder + "X"))
        #expect(!self.django.isValid(signature + "=", of: folder))
        #expect(!DjangoSignature(secret: "another").isValid(signature, of: folder))
    }
}
