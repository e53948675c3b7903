import Foundation
import NIOCore
import S3
import TestEnvironment
import Testing

@Suite(.timeLimit(.minutes(3))) struct ListingTests {
    @Test(arguments: KnownStore.available)
    func `pages meet without gap or overlap, in the order of bytes, and deleting spans requests`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let names = ["", " ", "!", "%", "+", "-", "/", "0", "A", "a", "a/b", "a0", "z", "~", "é", "文", "\u{FFFD}", "🦊"]
            let keys = names.map { "p/k\($0)" }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
            try await withThrowingTaskGroup { group in
                for key in keys { group.addTask { try await here.put(key) } }
                for key in ["p", "p0", "o/k"] { group.addTask { try await here.put(key) } }
                try await group.waitForAll()
            }
            for size in [1, 7, keys.count, 1000] {
                var found: [String] = []
                var (token, pages): (String?, Int) = (nil, 0)
                repeat {
                    let page = try await here.client.listObjects(
                        bucket: here.name,
                        prefix: "p/",
                        continuationToken: token,
                        maxKeys: size
                    )
                    found += page.objects.map(\.key)
                    (token, pages) = (page.nextToken, pages + 1)
                } while token != nil && pages < 100
                #expect(found == keys, "pages of \(size)")
                // A store may find out only by an empty page that the last one was full.
                #expect(((keys.count + size - 1) / size...keys.count / size + 1).contains(pages), "pages of \(size)")
            }
            let rest = try await here.client.listObjects(bucket: here.name, prefix: "p/", startAfter: keys[9])
            #expect(rest.objects.map(\.key) == Array(keys[10...]))
            // More than one request's worth, most of which never existed.
            let many = keys.map { S3ObjectIdentifier(key: $0) } + (0..<1500).map { S3ObjectIdentifier(key: "none/\($0)") }
            let result = try await here.client.deleteObjects(bucket: here.name, many)
            #expect(result.deleted.count == many.count)
            let left = try await here.keys()
            #expect(left == ["o/k", "p", "p0"])
        }
    }

    @Test(arguments: KnownStore.available)
    func `what is missing has its own error`(store: KnownStore) async throws {
        try await store.withBucket { here in
            let missing = TestStore.randomBucketName()
            let client = here.client
            #expect(await code { try await here.text("no") } == "NoSuchKey")
            #expect(await code { try await here.head("no") } == "NoSuchKey")
            #expect(await code { try await client.getObject(bucket: missing, key: "no") } == "NoSuchBucket")
            #expect(await code { try await client.headBucket(missing) } == "NoSuchBucket")
            #expect(await code { try await client.listObjects(bucket: missing) } == "NoSuchBucket")
            #expect(await code { try await client.putObject(bucket: missing, key: "k", body: ByteBuffer()) } == "NoSuchBucket")
            #expect(await code { try await client.copyObject(here.copy(of: "no", to: "k")) } == "NoSuchKey")
            try await here.put("k")
            #expect(await code { try await client.deleteBucket(here.name) } == "BucketNotEmpty")
            try await client.createBucket(here.name)
            try await client.headBucket(here.name)
            try await client.deleteBucket(missing)
        }
    }

    @Test(arguments: KnownStore.available)
    func `who has no key, or a wrong one, is refused`(store: KnownStore) async throws {
        try await store.withBucket { here in
            try await here.put("k")
            // A store that takes any signature takes a wrong one.
            let isRefused = here.traits.verifiesRequestSignatures
            for (access, secret, expected) in [
                (here.credentials.accessKeyID, "wrong", "SignatureDoesNotMatch"),
                ("nobody", here.credentials.secretAccessKey, "InvalidAccessKeyId"),
            ] where isRefused || access != "nobody" {
                let configuration = S3Configuration(
                    endpoint: here.endpoint,
                    region: "us-east-1",
                    credentials: StaticCredentials(accessKeyID: access, secretAccessKey: secret)
                )
                let (get, head) = isRefused ? (expected, "AccessDenied") : ("none", "none")
                try await TestStore.withClient(configuration) { stranger, _ in
                    #expect(await code { try await stranger.getObject(bucket: here.name, key: "k") } == get)
                    #expect(await code { try await stranger.headObject(bucket: here.name, key: "k") } == head)
                }
            }
        }
    }
}
