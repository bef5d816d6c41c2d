// Apache as a server of files that knows nothing of the TLS and of the prefix in front of it: redirects of directories,
// and WebDAV, whose second address it compares with its own.

import Foundation
import TestSupport
import Testing

/// Apache with mod_dav over the folder `files`.
private struct FileServer {
  let folder: TemporaryFolder
  let process: ChildProcess
  let port: Int

  static let modules = "/usr/lib/apache2/modules"
  static var isInstalled: Bool {
    ChildProcess.isInstalled("apache2") && ChildProcess.isInstalled("curl")
      && FileManager.default.fileExists(atPath: "\(modules)/mod_dav_fs.so")
  }

  static func start() async throws -> FileServer {
    let folder = try TemporaryFolder()
    let files = folder.url.appending(path: "files")
    for url in [folder.url, files, files.appending(path: "folder")] {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      // Apache gives up the rights of root.
      try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: url.path)
    }
    for attempt in 1... {
      let port = try closedPort()
      try folder.write("apache.conf", Data(configuration(folder.url.path, port).utf8))
      let process = try ChildProcess.start(
        ChildProcess.path(of: "apache2") ?? "apache2",
        ["-D", "FOREGROUND", "-f", folder.url.appending(path: "apache.conf").path], environment: ["LC_ALL": "C"])
      let isRunning = try await process.output.wait(for: "Apache to start") { output in
        if output.standardError.contains(where: { $0.contains("resuming normal operations") }) { return true }
        return output.status == nil ? nil : false
      }
      if isRunning { return FileServer(folder: folder, process: process, port: port) }
      if attempt == 5 { throw GatewayProcess.StartFailure(description: "\(process.output.current.standardError)") }
    }
    throw GatewayProcess.StartFailure(description: "Apache did not start")
  }

  private static func configuration(_ path: String, _ port: Int) -> String {
    let names = ["mpm_prefork", "authz_core", "dir", "dav", "dav_fs"]
    return """
      ServerRoot \(path)
      ServerName localhost
      PidFile \(path)/pid
      Listen 127.0.0.1:\(port)
      \(names.map { "LoadModule \($0)_module \(modules)/mod_\($0).so" }.joined(separator: "\n"))
      \(getuid() == 0 ? "User www-data\nGroup www-data" : "")
      ErrorLog /dev/stderr
      LogLevel notice
      Mutex file:\(path) default
      DavLockDB \(path)/locks
      DocumentRoot \(path)
      <Directory \(path)>
        Require all granted
        Dav On
      </Directory>
      """
  }
}

@Suite("A server of files behind TLS and a prefix", .enabled(if: FileServer.isInstalled, "Apache is not installed"))
struct FileServerTests {
  private struct Door {
    let gateway: GatewayProcess
    let authority: String

    /// Status and Location of what curl gets.
    func ask(_ method: String, _ path: String, _ arguments: String...) async throws -> String {
      let own = ["https://localhost:\(gateway.port)", "--cacert", authority]
      let more = arguments.map { $0.replacing("GATEWAY", with: own[0]) }
      let outcome = try await ChildProcess.run(
        "curl",
        ["-sS", "--noproxy", "*", "--max-time", "100", "--http1.1", "-o", "/dev/null", "-X", method]
          + ["-w", "%{http_code} %header{location}"] + own.dropFirst() + more + [own[0] + path])
      #expect(outcome.status == 0, "\(outcome.standardError)")
      return outcome.standardOutput.replacing(own[0], with: "GATEWAY").trimmingCharacters(in: .whitespaces)
    }
  }

  private func start(_ server: FileServer) async throws -> Door {
    let certificates = try await TestCertificates.shared()
    let gateway = try await GatewayProcess.start(
      """
      listeners:
        - address: "127.0.0.1:0"
          tls: { certificates: [{ certificate: \(certificates.certificate(.good)), key: \(certificates.key(.good)) }] }
      upstreams: { files: { servers: ["127.0.0.1:\(server.port)"], connect_timeout: 1m, response_timeout: 2m } }
      routes:
        - path: /dav/*
          auth: public
          upstream: files
          rewrite: { strip_prefix: /dav, add_prefix: /files, responses: true, destination: true }
        - { path: /files/*, auth: public, upstream: files }
      """)
    return Door(gateway: gateway, authority: certificates.authority)
  }

  @Test("Redirects of directories lead back to the gateway, by its scheme, its port and its path")
  func redirects() async throws {
    let server = try await FileServer.start()
    let door = try await start(server)
    #expect(try await door.ask("GET", "/files/folder") == "301 GATEWAY/files/folder/")
    #expect(try await door.ask("GET", "/dav/folder") == "301 GATEWAY/dav/folder/")
  }

  @Test("Files are moved and copied within the route, and not out of it")
  func moves() async throws {
    let server = try await FileServer.start()
    let door = try await start(server)
    try server.folder.write("body", Data("hello".utf8))
    let body = server.folder.url.appending(path: "body").path
    #expect(try await door.ask("PUT", "/dav/a.txt", "-T", body).hasPrefix("201"))
    #expect(try await door.ask("MOVE", "/dav/a.txt", "-H", "Destination: GATEWAY/dav/My%20File.txt").hasPrefix("201"))
    #expect(
      try await door.ask("COPY", "/dav/My%20File.txt", "-H", "Destination: GATEWAY/dav/folder/c").hasPrefix("201"))
    let files = server.folder.url.appending(path: "files")
    #expect(try String(contentsOf: files.appending(path: "My File.txt"), encoding: .utf8) == "hello")
    #expect(try String(contentsOf: files.appending(path: "folder/c"), encoding: .utf8) == "hello")
    #expect(!FileManager.default.fileExists(atPath: files.appending(path: "a.txt").path))
    #expect(try await door.ask("MOVE", "/dav/folder/c", "-H", "Destination: GATEWAY/files/c") == "403")
    #expect(try await door.ask("MOVE", "/dav/folder/c", "-H", "Destination: https://other.test/dav/c") == "403")
    // Without the key Apache refuses an address that is not its own.
    #expect(try await door.ask("MOVE", "/files/folder/c", "-H", "Destination: GATEWAY/files/c") == "502")
    #expect(try String(contentsOf: files.appending(path: "folder/c"), encoding: .utf8) == "hello")
  }
}
