import Crypto
import Foundation

/// The signature that django-s3file 7 puts into its inputs, for forms that cross between an app of ours and one in Django.
///
/// It binds the folder and nothing else: neither field nor user, types, size or time. So it is off unless the app sets Django's secret
/// (``S3FileConfiguration/djangoSecret``), and then it is as strong as it is there.
/// <https://docs.djangoproject.com/en/5.2/topics/signing/>
package struct DjangoSignature: Sendable {
    private static let salt = "s3file.middleware.S3FileMiddleware"
    /// HMAC-SHA256 in base64url without padding.
    private static let length = 43

    private let key: SymmetricKey

    /// - Parameter secret: Django's `SECRET_KEY`.
    package init(secret: String) {
        self.key = SymmetricKey(data: SHA256.hash(data: Data((Self.salt + "signer" + secret).utf8)))
    }

    /// Of a folder, without trailing slash.
    package func signature(of folder: String) -> String {
        Base64URL.encode(Data(HMAC<SHA256>.authenticationCode(for: Data(folder.utf8), using: self.key)))
    }

    /// Compares in constant time.
    package func isValid(_ signature: String, of folder: String) -> Bool {
        guard signature.utf8.count == Self.length, let code = Base64URL.decode(signature) else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: Data(folder.utf8), using: self.key)
    }
}
