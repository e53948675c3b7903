/// A certificate for 127.0.0.1, the authority that signed it, and another authority that did not. Files in a folder of ``ServerUser``.
package struct TestCertificates: Sendable {
    package let authority: String
    package let otherAuthority: String
    package let certificate: String
    package let key: String

    package init(in folder: String) async throws {
        func openssl(_ arguments: String) async throws {
            _ = try await ServerUser.run("openssl", arguments.split(separator: " ").map(String.init))
        }
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        for name in ["ca", "other"] {
            try await openssl("req -x509 \(key) -subj /CN=\(name) -keyout \(folder)/\(name).key -out \(folder)/\(name).crt")
        }
        try await openssl(
            """
            req -x509 \(key) -CA \(folder)/ca.crt -CAkey \(folder)/ca.key -subj /CN=127.0.0.1 \
            -addext subjectAltName=IP:127.0.0.1 -keyout \(folder)/server.key -out \(folder)/server.crt
            """
        )
        self.authority = folder + "/ca.crt"
        self.otherAuthority = folder + "/other.crt"
        self.certificate = folder + "/server.crt"
        self.key = folder + "/server.key"
    }
}
