import Foundation
import NIOHTTP1
import S3
import TestEnvironment
import Testing

/// The S3 servers that the journey is made on, unchanged but for settings.
enum Store: String, CaseIterable, Sendable {
    case devServer = "S3DevServer"
    case ceph = "Ceph RGW"

    static var available: [Store] { TestStore.isAvailable ? Self.allCases : [.devServer] }
}

@Suite struct JourneyTests {
    @Test(.enabled(if: TestStore.isAvailable, "\(TestStore.missing)"))
    func `the journey is made on a real store too`() {
        #expect(Store.available.count == 2)
    }

    /// The example app, a worker and their Postgres as real processes, with a visitor in front.
    private func withVisitor(on store: Store, _ body: @escaping @Sendable (Visitor) async throws -> Void) async throws {
        switch store {
        case .devServer:
            try await Installation.with { installation in
                try await body(try await Visitor(address: installation.address))
            }
        case .ceph:
            try await TestStore.withBucket { _, bucket in
                let environment = [
                    "AWS_ENDPOINT_URL_S3": TestStore.endpoint ?? "", "AWS_ACCESS_KEY_ID": TestStore.accessKeyID,
                    "AWS_SECRET_ACCESS_KEY": TestStore.secretAccessKey, "AWS_REGION": "us-east-1", "S3FILE_BUCKET": bucket,
                ]
                try await Installation.with(environment: environment) { installation in
                    try await body(try await Visitor(address: installation.address))
                }
            }
        }
    }

    /// The JSON of the status API, once the upload has come to its end.
    private func end(of url: String, _ visitor: Visitor) async throws -> [String: Any] {
        let text = try await eventually(within: .seconds(60)) { () -> String? in
            let answer = try await visitor.get(url)
            guard answer.status == 200 else { throw Refused(answer) }
            return answer.text.contains(#""status":"queued""#) || answer.text.contains(#""status":"moving""#) ? nil : answer.text
        }
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test(arguments: Store.available)
    func `files go from the form to their place under every legal name`(store: Store) async throws {
        try await self.withVisitor(on: store) { visitor in
            let files = [
                Visitor.File(name: "100%.txt", bytes: Array("hundred".utf8)),
                .init(name: "a%20b.txt", bytes: Array("twenty".utf8)),
                .init(name: "a&b<c>.txt", bytes: Array("escaped".utf8)), .init(name: "ünï 文.txt", bytes: Array("unicode".utf8)),
                .init(name: "same.txt", bytes: Array("one".utf8)), .init(name: "same.txt", bytes: Array("other".utf8)),
                .init(name: "empty.txt", bytes: []),
                .init(name: "bytes.bin", bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }),
            ]
            let input = try #require(try await visitor.inputs()["documents"])
            var keys: [(String, String)] = []
            for file in files {
                let (key, answer) = try await visitor.upload(file, with: input)
                #expect(answer.status == 201, "\(answer.text)")
                #expect(answer.headers.first(name: "access-control-allow-origin") != nil || store == .ceph)
                keys.append((key, file.name))
            }
            let posted = ContinuousClock.now
            let answer = try await visitor.submit(input, keys: keys)
            #expect(answer.status == 303, "\(answer.text)")
            #expect(ContinuousClock.now - posted < .seconds(10))

            let location = try #require(answer.headers.first(name: "location"))
            let urls = Visitor.statusURLs(in: try await visitor.get(location).text)
            #expect(urls.count == files.count)
            var found: [String: [[UInt8]]] = [:]
            for url in urls {
                let upload = try await self.end(of: url, visitor)
                #expect(upload["status"] as? String == "stored", "\(upload)")
                let link = try #require(upload["url"] as? String)
                let stored = try await visitor.get(link)
                #expect(stored.status == 200)
                let name = try #require(upload["filename"] as? String)
                found[name, default: []].append(stored.body)
            }
            for file in files { #expect(found[file.name]?.contains(file.bytes) == true, "\(file.name)") }
        }
    }

    @Test(arguments: Store.available)
    func `without the script files go in the form, small and large, and come to their place just so`(store: Store) async throws {
        try await self.withVisitor(on: store) { visitor in
            let files = [
                Visitor.File(name: "ünï 100%.txt", bytes: Array("small".utf8)),
                // In parts.
                .init(name: "large.bin", bytes: .init(repeating: 7, count: 20_000_001), type: "application/octet-stream"),
                .init(name: "empty.txt", bytes: []),
            ]
            let answer = try await visitor.submitWithoutScript(files, field: "documents")
            #expect(answer.status == 303, "\(answer.text)")
            let location = try #require(answer.headers.first(name: "location"))
            let urls = Visitor.statusURLs(in: try await visitor.get(location).text)
            #expect(urls.count == files.count)
            for url in urls {
                let upload = try await self.end(of: url, visitor)
                #expect(upload["status"] as? String == "stored", "\(upload)")
                let file = try #require(files.first { $0.name == upload["filename"] as? String })
                let stored = try await visitor.get(try #require(upload["url"] as? String))
                #expect(stored.body == file.bytes, "\(file.name)")
            }
            let tooLarge = Visitor.File(name: "x.png", bytes: .init(repeating: 0, count: 20_000_001), type: "image/png")
            let refused = try await visitor.submitWithoutScript([tooLarge], field: "avatar")
            #expect((400..<500).contains(refused.status))
            #expect(refused.text.contains("<strong dir=\"auto\">x.png</strong>"))
        }
    }

    @Test(arguments: Store.available)
    func `the same form posted twice is one upload`(store: Store) async throws {
        try await self.withVisitor(on: store) { visitor in
            let input = try #require(try await visitor.inputs()["documents"])
            let (key, _) = try await visitor.upload(.init(name: "x.txt", bytes: [1]), with: input)
            var seen: Set<String> = []
            for _ in 0..<2 {
                let answer = try await visitor.submit(input, keys: [(key, "x.txt")])
                let location = try #require(answer.headers.first(name: "location"))
                let url = try #require(Visitor.statusURLs(in: try await visitor.get(location).text).first)
                let upload = try await self.end(of: url, visitor)
                #expect(upload["status"] as? String == "stored")
                seen.insert(try #require(upload["id"] as? String))
            }
            #expect(seen.count == 1)
        }
    }

    @Test(arguments: Store.available)
    func `a form that comes back keeps its files, which are stored when it is right`(store: Store) async throws {
        try await self.withVisitor(on: store) { visitor in
            let input = try #require(try await visitor.inputs()["documents"])
            let (key, _) = try await visitor.upload(.init(name: "a&b.txt", bytes: Array("kept".utf8)), with: input)
            let fields = [
                ("s3file", "documents"), ("documents-s3f-signature", input.ticket), ("documents", key),
                ("documents-s3f-name", "a&b.txt"),
            ]
            let refused = try await visitor.submit(fields + [("caption", String(repeating: "x", count: 81))])
            #expect(refused.status == 422)
            #expect(refused.text.contains(#"<span class="s3file-name" dir="auto">a&amp;b.txt</span></label> "#))
            let box = /name="documents-s3f-kept" value="([^"]+)" checked>/
            let receipt = try #require(refused.text.firstMatch(of: box)).output.1
            let taken = try await visitor.submit([("documents-s3f-kept", String(receipt)), ("caption", "short")])
            let location = try #require(taken.headers.first(name: "location"))
            let url = try #require(Visitor.statusURLs(in: try await visitor.get(location).text).first)
            let upload = try await self.end(of: url, visitor)
            #expect(upload["status"] as? String == "stored" && upload["filename"] as? String == "a&b.txt")
            let stored = try await visitor.get(try #require(upload["url"] as? String))
            #expect(stored.text == "kept")
        }
    }

    @Test(arguments: Store.available)
    func `the policy holds at the store: size, type, folder and signature`(store: Store) async throws {
        try await self.withVisitor(on: store) { visitor in
            let inputs = try await visitor.inputs()
            let picture = try #require(inputs["avatar"])
            let image = Visitor.File(name: "x.png", bytes: [1], type: "image/png")
            let good = try await visitor.upload(image, with: picture)
            #expect(good.answer.status == 201, "\(good.answer.text)")
            let text = try await visitor.upload(.init(name: "x.txt", bytes: [1]), with: picture)
            #expect((400..<500).contains(text.answer.status))
            let large = try await visitor.upload(
                .init(name: "x.png", bytes: .init(repeating: 0, count: 20_000_001), type: "image/png"),
                with: picture
            )
            #expect((400..<500).contains(large.answer.status))
            let elsewhere = try await visitor.upload(image, with: picture, key: "private/x.png")
            #expect((400..<500).contains(elsewhere.answer.status))
            let neighbour = try await visitor.upload(image, with: picture, key: picture.folder + "X/x.png")
            #expect((400..<500).contains(neighbour.answer.status))
            let forged = try await visitor.upload(
                image,
                with: picture,
                changing: ["x-amz-signature": String(repeating: "0", count: 64)]
            )
            #expect((400..<500).contains(forged.answer.status))
        }
    }

    @Test(arguments: Store.available)
    func `a bad form is answered with a sentence, stores nothing, and the form is usable again`(store: Store) async throws {
        try await self.withVisitor(on: store) { visitor in
            let inputs = try await visitor.inputs()
            let (documents, avatar) = (try #require(inputs["documents"]), try #require(inputs["avatar"]))
            let (key, _) = try await visitor.upload(.init(name: "x.txt", bytes: [1]), with: documents)
            func post(_ fields: [(String, String)]) async throws -> Visitor.Answer {
                try await visitor.submit(fields, accept: "application/json")
            }
            let ticket = ("documents-s3f-signature", documents.ticket)
            let flipped = String(documents.ticket.dropLast()) + (documents.ticket.hasSuffix("A") ? "B" : "A")
            let bad: [(String, [(String, String)])] = [
                ("forged ticket", [("s3file", "documents"), ("documents-s3f-signature", flipped), ("documents", key)]),
                (
                    "another field's ticket",
                    [("s3file", "documents"), ("documents-s3f-signature", avatar.ticket), ("documents", key)]
                ),
                ("no ticket", [("s3file", "documents"), ("documents", key)]),
                ("key outside", [("s3file", "documents"), ticket, ("documents", "private/x")]),
                ("neighbour folder", [("s3file", "documents"), ticket, ("documents", documents.folder + "X/x")]),
                ("traversal", [("s3file", "documents"), ticket, ("documents", documents.folder + "/../x")]),
                ("missing object", [("s3file", "documents"), ticket, ("documents", documents.folder + "/nothing")]),
                ("same key twice", [("s3file", "documents"), ticket, ("documents", key), ("documents", key)]),
                ("undeclared field", [("s3file", "passport"), ("passport-s3f-signature", documents.ticket), ("passport", key)]),
                ("too many", [("s3file", "documents"), ticket] + (0..<11).map { ("documents", documents.folder + "/\($0)") }),
            ]
            for (what, fields) in bad {
                let answer = try await post(fields)
                #expect((400..<500).contains(answer.status), "\(what): \(answer.status)")
                #expect(answer.headers.first(name: "content-type")?.hasPrefix("application/problem+json") == true, "\(what)")
                #expect(answer.text.contains("\"detail\":\""), "\(what): \(answer.text)")
            }
            let none = Visitor.statusURLs(in: try await visitor.get("/uploads").text)
            #expect(none.isEmpty)
            // Another visitor may not bring this form back.
            let stranger = try await Visitor(address: visitor.address)
            let stolen = try await stranger.submit(documents, keys: [(key, "x.txt")])
            #expect(stolen.status == 403)
            // And the form still works.
            let answer = try await visitor.submit(documents, keys: [(key, "x.txt")])
            #expect(answer.status == 303)
        }
    }
}

struct Refused: Error, CustomStringConvertible {
    let description: String
    init(_ answer: Visitor.Answer) { self.description = "\(answer.status): \(answer.text)" }
}
