import Foundation
import TestEnvironment
import Testing

@testable import S3FileCommand

@Suite("The private Postgres")
struct PrivateClusterTests {
    @Test("a machine without Postgres gets a sentence that says what to install")
    func missing() async throws {
        try await withTemporaryFolder { folder in
            let error = await #expect(throws: DevelopmentError.self) {
                try await PostgresInstallation.find(for: folder.path + "/postgres", in: [folder.path, "/nowhere"])
            }
            #expect(error?.code == .postgresMissing)
            #expect(error?.message.contains("`apt-get install postgresql`") == true)
        }
    }

    @Test("the installation of the data's own version is taken before a newer one")
    func versions() async throws {
        try await withTemporaryFolder { folder in
            for version in ["15", "17"] {
                let programs = folder.appendingPathComponent(version)
                try FileManager.default.createDirectory(at: programs, withIntermediateDirectories: true)
                for name in ["initdb", "postgres"] {
                    let program = programs.appendingPathComponent(name).path
                    let script = "#!/bin/sh\necho 'postgres (PostgreSQL) \(version).4 (Debian \(version).4-1)'\n"
                    try #require(
                        FileManager.default.createFile(
                            atPath: program,
                            contents: Data(script.utf8),
                            attributes: [.posixPermissions: 0o755]
                        )
                    )
                }
            }
            let folders = [folder.path + "/17", folder.path + "/15"]
            let data = folder.appendingPathComponent("postgres")
            #expect(try await PostgresInstallation.find(for: data.path, in: folders).version == "17")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            try Data("15\n".utf8).write(to: data.appendingPathComponent("PG_VERSION"))
            #expect(try await PostgresInstallation.find(for: data.path, in: folders).version == "15")
        }
    }

    @Test("a lock file whose process number now belongs to a stranger is removed, and the stranger left alone")
    func recycledProcessNumber() async throws {
        try await withTemporaryFolder { folder in
            try await Program.with("sleep", ["600"]) { stranger in
                let lock = folder.appendingPathComponent("postmaster.pid")
                try Data("\(stranger.processIdentifier)\n\(folder.path)\n".utf8).write(to: lock)
                let leftover = try #require(LeftoverPostgres(in: folder.path))
                try await leftover.stop()
                #expect(!FileManager.default.fileExists(atPath: lock.path))
                #expect(kill(stranger.processIdentifier, 0) == 0)
            }
        }
    }

    @Test("the secret is made once, long, and readable for its owner alone")
    func secret() async throws {
        try await withTemporaryFolder { folder in
            let directory = try DevelopmentDirectory(folder.path + "/dev")
            let secret = try directory.secret()
            #expect(secret.utf8.count >= 48)
            #expect(try directory.secret() == secret)
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/secret")
            #expect(attributes[.posixPermissions] as? Int == 0o600)

            try Data("short\n".utf8).write(to: URL(fileURLWithPath: directory.path + "/secret"))
            #expect(throws: DevelopmentError.self) { try directory.secret() }
        }
    }

    @Test("a free port is found for 0, and a port beyond the range is refused")
    func ports() throws {
        let port = try LoopbackPort(claiming: 0, option: "--port")
        #expect((1...65535).contains(port.number))
        #expect(throws: DevelopmentError.self) { try LoopbackPort(claiming: 65536, option: "--port") }
    }
}
