import Foundation

/// The script's words in another language, from right to left, with plural forms that English has not.
enum Arabic {
    static let texts: [String: String] = [
        "lang": "ar",
        "files": "الملفات: {label}",
        "chosen": "تم الاختيار",
        "waiting": "في الانتظار",
        "uploading": "جارٍ الرفع {percent}، {loaded} من {size}",
        "left": "{text}، بقي نحو {time}",
        "sent": "أُرسل، في انتظار التخزين",
        "uploaded": "تم الرفع",
        "attention": "يحتاج إلى انتباه: {text}",
        "remove": "إزالة",
        "cancel": "إلغاء",
        "cancelAll": "إلغاء الكل",
        "tooLarge": "كبير جدًا: {size}، والحد {limit}.",
        "wrongType": "نوع غير مقبول. المقبول: {types}.",
        "removed": "أُزيل {name}.",
        "done": "تم رفع جميع الملفات.",
        "sending": "تم رفع جميع الملفات. جارٍ إرسال النموذج.",
        "progress": "تم رفع {percent}.",
        "again": "حاول مجددًا",
        "details": "التفاصيل",
        "busy": "التخزين مشغول. حاول بعد قليل.",
        "stored": "تم التخزين.",
    ]
    static let plurals: [String: [String: String]] = [
        "starting": [
            "one": "جارٍ رفع ملف واحد.", "two": "جارٍ رفع ملفين.", "few": "جارٍ رفع {count} ملفات.", "many": "جارٍ رفع {count} ملفًا.",
            "other": "جارٍ رفع {count} ملف.",
        ]
    ]
}

extension GalleryPage {
    /// Runs `body` with pages in Arabic: the words are put in before the script looks at a page, as a server would draw them.
    func inArabic(_ body: () async throws -> Void) async throws {
        var words: [String: Any] = Arabic.texts
        for (name, forms) in Arabic.plurals { words[name] = forms }
        let json = String(decoding: try JSONSerialization.data(withJSONObject: words), as: UTF8.self)
        let source = """
            new MutationObserver((_, observer) => {
                if (!document.head) return
                observer.disconnect()
                Object.assign(document.documentElement, { lang: 'ar', dir: 'rtl' })
                const words = Object.assign(document.createElement('script'), { type: 'application/json' })
                words.setAttribute('data-s3file-texts', '')
                words.textContent = JSON.stringify(\(json))
                document.head.append(words)
            }).observe(document, { childList: true, subtree: true })
            """
        let added = try await self.browser.command("Page.addScriptToEvaluateOnNewDocument", ["source": source])
        let identifier = (added as? [String: Any])?["identifier"] as? String ?? ""
        let result: Result<Void, any Error>
        do {
            try await self.openForm()
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        try await self.browser.command("Page.removeScriptToEvaluateOnNewDocument", ["identifier": identifier])
        try result.get()
    }
}
