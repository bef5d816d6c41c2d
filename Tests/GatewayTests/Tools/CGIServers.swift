// Web servers that pass a request's fields to a script as CGI does: in variables whose names keep little of the
// field's.

import Foundation
import TestSupport

/// The ways from a field to a script's variable.
enum CGIServer: String, CaseIterable {
  case lighttpd = "lighttpd with mod_cgi"
  case lighttpdToPHP = "lighttpd before PHP-FPM"
  case nginxToPHP = "nginx before PHP-FPM, which passes all names on"
  case apache = "Apache with mod_cgi"

  /// Whether all programs are here.
  var isInstalled: Bool {
    switch self {
    case .lighttpd: ChildProcess.isInstalled("lighttpd")
    case .lighttpdToPHP: ChildProcess.isInstalled("lighttpd") && Self.fpm != nil
    case .nginxToPHP: ChildProcess.isInstalled("nginx") && Self.fpm != nil
    case .apache: ChildProcess.isInstalled("apache2") && FileManager.default.fileExists(atPath: Self.modules)
    }
  }

  fileprivate static let modules = "/usr/lib/apache2/modules"

  /// Debian's has its version in its name.
  fileprivate static var fpm: String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/sbin")) ?? []
    return names.filter { $0.hasPrefix("php-fpm") }.sorted().last.map { "/usr/sbin/\($0)" }
  }

  fileprivate var usesPHP: Bool { self == .lighttpdToPHP || self == .nginxToPHP }
  fileprivate var script: String { usesPHP ? "env.php" : "env.sh" }
}

/// One of them, with a script that answers with all of its variables, a line each.
struct RunningCGIServer {
  let folder: TemporaryFolder
  let processes: [ChildProcess]
  let port: Int
  let path: String

  static func start(_ server: CGIServer) async throws -> RunningCGIServer {
    let folder = try TemporaryFolder()
    let script = folder.url.appending(path: server.script).path
    try folder.write("env.sh", Data("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env\n".utf8))
    try folder.write(
      "env.php",
      Data(
        "<?php header('Content-Type: text/plain'); foreach ($_SERVER as $k => $v) echo \"$k=\", @strval($v), \"\\n\";"
          .utf8))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.url.path)
    var processes: [ChildProcess] = []
    if server.usesPHP { processes.append(try await startFPM(folder)) }
    for attempt in 1... {
      let port = try closedPort()
      let process = try start(server, folder, port: port)
      let isRunning = try await process.output.wait(for: "\(server.rawValue) to start") { output in
        if output.standardError.contains(where: { $0.contains(server.sign) }) { return true }
        return output.status == nil ? nil : false
      }
      if isRunning {
        return RunningCGIServer(
          folder: folder, processes: processes + [process], port: port, path: "/\(server.script)")
      }
      if attempt == 5 { throw GatewayProcess.StartFailure(description: "\(process.output.current.standardError)") }
    }
    throw GatewayProcess.StartFailure(description: "\(server.rawValue) did not start")
  }

  private static func startFPM(_ folder: TemporaryFolder) async throws -> ChildProcess {
    let path = folder.url.path
    let user = getuid() == 0 ? "user = www-data\ngroup = www-data\n" : ""
    let text = """
      [global]
      daemonize = no
      error_log = /dev/stderr
      [www]
      \(user)listen = \(path)/fpm.sock
      listen.mode = 0666
      pm = static
      pm.max_children = 1

      """
    try folder.write("fpm.conf", Data(text.utf8))
    let process = try ChildProcess.start(CGIServer.fpm ?? "php-fpm", ["-F", "-n", "-y", "\(path)/fpm.conf"])
    _ = try await process.output.wait(for: "PHP-FPM to start") { output in
      if let status = output.status {
        throw GatewayProcess.StartFailure(description: "status \(status): \(output.standardError)")
      }
      return output.standardError.first { $0.contains("ready to handle connections") }
    }
    return process
  }

  private static func start(_ server: CGIServer, _ folder: TemporaryFolder, port: Int) throws -> ChildProcess {
    let path = folder.url.path
    switch server {
    case .lighttpd, .lighttpdToPHP:
      let handler =
        server == .lighttpd
        ? "server.modules = (\"mod_cgi\")\ncgi.assign = (\".sh\" => \"/bin/sh\")"
        : "server.modules = (\"mod_fastcgi\")\n"
          + "fastcgi.server = (\".php\" => ((\"socket\" => \"\(path)/fpm.sock\")))"
      try folder.write(
        "lighttpd.conf",
        Data(
          "server.document-root = \"\(path)\"\nserver.bind = \"127.0.0.1\"\nserver.port = \(port)\n\(handler)\n".utf8))
      return try ChildProcess.start(program("lighttpd"), ["-D", "-f", "\(path)/lighttpd.conf"])
    case .nginxToPHP:
      try folder.write("nginx.conf", Data(nginx(path, port).utf8))
      return try ChildProcess.start(program("nginx"), ["-p", path, "-c", "\(path)/nginx.conf"])
    case .apache:
      try folder.write("apache.conf", Data(apache(path, port).utf8))
      return try ChildProcess.start(
        program("apache2"), ["-D", "FOREGROUND", "-f", "\(path)/apache.conf"], environment: ["LC_ALL": "C"])
    }
  }

  private static func program(_ name: String) -> String { ChildProcess.path(of: name) ?? name }

  /// Configured to drop no name.
  private static func nginx(_ path: String, _ port: Int) -> String {
    """
    daemon off; worker_processes 1; pid \(path)/pid; error_log stderr notice;
    events { worker_connections 256; }
    http {
      access_log off; client_body_temp_path \(path)/b; proxy_temp_path \(path)/p; fastcgi_temp_path \(path)/f;
      uwsgi_temp_path \(path)/u; scgi_temp_path \(path)/s;
      ignore_invalid_headers off; underscores_in_headers on;
      server {
        listen 127.0.0.1:\(port);
        location / {
          fastcgi_pass unix:\(path)/fpm.sock;
          fastcgi_param SCRIPT_FILENAME \(path)/env.php; fastcgi_param REQUEST_METHOD $request_method;
        }
      }
    }
    """
  }

  private static func apache(_ path: String, _ port: Int) -> String {
    let modules = [
      ("mpm_prefork", "mod_mpm_prefork"), ("authz_core", "mod_authz_core"), ("alias", "mod_alias"), ("cgi", "mod_cgi"),
    ]
    return """
      ServerRoot \(path)
      ServerName localhost
      PidFile \(path)/pid
      Listen 127.0.0.1:\(port)
      \(modules.map { "LoadModule \($0.0)_module \(CGIServer.modules)/\($0.1).so" }.joined(separator: "\n"))
      \(getuid() == 0 ? "User www-data\nGroup www-data" : "")
      ErrorLog /dev/stderr
      LogLevel notice
      Mutex file:\(path) default
      ScriptAlias / \(path)/
      <Directory \(path)>
        Require all granted
      </Directory>
      """
  }
}

extension CGIServer {
  /// What the server says once it serves.
  fileprivate var sign: String {
    switch self {
    case .lighttpd, .lighttpdToPHP: "server started"
    case .nginxToPHP: "start worker process "
    case .apache: "resuming normal operations"
    }
  }
}
