import TestEnvironment

/// A store that lists as many objects as it is told, all of them old, and has none: for tests that need many, and in which the store is not what
/// is looked at. It takes deletions for done, and refuses to put anything.
enum ListingStore {
    private static let program = #"""
        import http.server, sys, time, urllib.parse
        count, folder, pause = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
        class Store(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *arguments): pass
            def answer(self, text, status=200):
                body = text.encode()
                self.send_response(status); self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body))); self.end_headers()
                if self.command != "HEAD": self.wfile.write(body)
            def do_HEAD(self): self.answer("")
            def do_PUT(self):
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.answer("<Error><Code>AccessDenied</Code><Message>no</Message></Error>", 403)
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", "0"))); self.answer("<DeleteResult/>")
            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
                if "versioning" in query: return self.answer("<VersioningConfiguration/>")
                if "uploads" in query: return self.answer("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>")
                time.sleep(pause)
                prefix, first = query.get("prefix", ""), int(query.get("continuation-token", "0"))
                last = min(first + 1000, count) if folder.startswith(prefix) else first
                listed = "".join(
                    "<Contents><Key>%s%08d</Key><Size>5</Size><ETag>&quot;e&quot;</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
                    % (folder, i) for i in range(first, last))
                more = folder.startswith(prefix) and last < count
                self.answer("<ListBucketResult><IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>" % (
                    "true" if more else "false", "<NextContinuationToken>%d</NextContinuationToken>" % last if more else "", listed))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
        print("port", server.server_port, flush=True); server.serve_forever()
        """#

    /// - Parameters:
    ///   - folder: all keys begin so.
    ///   - pause: seconds before each page.
    ///   - body: is given the environment of a command that uses it.
    static func with<R: Sendable>(
        objects count: Int,
        in folder: String,
        pause: Double = 0,
        database: String,
        _ body: @Sendable ([String: String?]) async throws -> R
    ) async throws -> R {
        try await Program.with("python3", ["-c", Self.program, String(count), folder, String(pause)]) { store in
            let port = try await store.line(containing: "port ").dropFirst("port ".count)
            return try await body([
                "DATABASE_URL": database, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:\(port)", "AWS_ACCESS_KEY_ID": "s3file-dev",
                "AWS_SECRET_ACCESS_KEY": "x", "S3FILE_BUCKET": "media", "S3FILE_SECRET": nil, "S3FILE_ENVIRONMENT": nil,
                "S3FILE_CONFIG": nil, "AWS_ENDPOINT_URL": nil, "AWS_SESSION_TOKEN": nil,
            ])
        }.result
    }
}
