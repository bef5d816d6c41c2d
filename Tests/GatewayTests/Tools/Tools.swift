// Programs that others wrote, on either side of the gateway.

import Foundation
import TestSupport
import Testing

extension Tag {
  /// Takes several seconds.
  @Tag static var slow: Self
}

/// A folder that goes with its object.
final class TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "catraca-tool-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func write(_ name: String, _ bytes: Data) throws { try bytes.write(to: url.appending(path: name)) }
}

/// A web server of somebody else's that serves a folder.
struct ForeignServer {
  let folder: TemporaryFolder
  let process: ChildProcess
  let port: Int

  /// nginx with its upstream-facing defaults, `file.txt` and whatever is written to its folder.
  static func nginx() async throws -> ForeignServer {
    try await nginx { path, port in
      """
      server {
        listen 127.0.0.1:\(port); root \(path);
        location = /hello { return 200 "hello from nginx, $http_x_forwarded_for"; }
        location = /host { return 200 "$http_host, asked for $http_x_forwarded_host"; }
        location = /inside { deny 127.0.0.5; allow 127.0.0.4/30; deny all; alias \(path)/file.txt; }
        location = /close { keepalive_timeout 0; return 200 "closing"; }
      }
      """
    }
  }

  /// - Parameter servers: the `server` blocks, given the folder and a port.
  static func nginx(_ servers: (_ path: String, _ port: Int) -> String) async throws -> ForeignServer {
    let folder = try TemporaryFolder()
    try folder.write("file.txt", Data("0123456789".utf8))
    // nginx takes no port 0: a port that was free a moment ago is tried, and another if it is taken meanwhile.
    for attempt in 1... {
      let port = try closedPort()
      let path = folder.url.path
      let text = """
        daemon off; worker_processes 1; pid \(path)/pid; error_log stderr notice;
        events { worker_connections 256; }
        http {
          access_log off; client_body_temp_path \(path)/b; proxy_temp_path \(path)/p; fastcgi_temp_path \(path)/f;
          uwsgi_temp_path \(path)/u; scgi_temp_path \(path)/s;
          gzip on; gzip_min_length 1; gzip_types text/plain; gzip_proxied any;
          \(servers(path, port))
        }
        """
      try folder.write("nginx.conf", Data(text.utf8))
      let program = ChildProcess.path(of: "nginx") ?? "nginx"
      let process = try ChildProcess.start(program, ["-p", path, "-c", "\(path)/nginx.conf"])
      let isRunning = try await process.output.wait(for: "nginx to start") { output in
        if output.standardError.contains(where: { $0.contains("start worker process ") }) { return true }
        return output.status == nil ? nil : false
      }
      if isRunning { return ForeignServer(folder: folder, process: process, port: port) }
      if attempt == 5 { throw GatewayProcess.StartFailure(description: "\(process.output.current.standardError)") }
    }
    throw GatewayProcess.StartFailure(description: "nginx did not start")
  }

  /// Python's http.server with `file.txt`.
  static func python() async throws -> ForeignServer {
    let folder = try TemporaryFolder()
    try folder.write("file.txt", Data("0123456789".utf8))
    let process = try ChildProcess.start(
      "/usr/bin/env", ["python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"], in: folder.url)
    let line = try await process.output.wait(for: "http.server to start") { output in
      if let status = output.status {
        throw GatewayProcess.StartFailure(description: "status \(status): \(output.standardError)")
      }
      return output.standardOutput.first { $0.contains(" port ") }
    }
    let words = line.split(separator: " ").map(String.init)
    let port = words.firstIndex(of: "port").flatMap { Int(words[$0 + 1]) }
    return ForeignServer(folder: folder, process: process, port: try #require(port))
  }

  func startGateway(upstreamKeys: String = "idle_connections: 256") async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["127.0.0.1:\(port)"], \(upstreamKeys) } }
      routes: [{ path: "/*", auth: public, upstream: service, body_size: 2GiB }]
      """)
  }
}
