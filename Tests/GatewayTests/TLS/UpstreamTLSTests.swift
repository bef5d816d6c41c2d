// TLS to servers: nobody is taken for the upstream who cannot prove it, and nothing is ever sent in the clear instead.

import Foundation
import TLS
import TestSupport
import Testing

@Suite("TLS to upstreams")
struct UpstreamTLSTests {
  private let certificates: TestCertificates

  init() async throws { certificates = try await TestCertificates.shared() }

  /// - Parameters:
  ///   - tls: the keys of the upstream's `tls`.
  ///   - host: how the server is written.
  private func start(
    _ upstream: TestUpstream, tls: String, host: String = "127.0.0.1", keys: String = "connect_timeout: 1m"
  ) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      """
      upstreams: { service: { servers: ["\(host):\(upstream.port)"], tls: { \(tls) }, \(keys) } }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """, environment: ["SSL_CERT_FILE": certificates.file("other.crt"), "SSL_CERT_DIR": "/nonexistent"])
  }

  private var authority: String { "ca: \"\(certificates.authority)\"" }

  @Test(
    "A server that proves its name is spoken to: by server_name, by its own name, by its address, through an intermediate"
  )
  func good() async throws {
    for (kind, tls, host) in [
      (TestCertificates.Kind.good, "\(authority), server_name: idp.test", "127.0.0.1"), (.good, authority, "localhost"),
      (.address, authority, "127.0.0.1"), (.wildcard, "\(authority), server_name: b.apps.test", "127.0.0.1"),
      (.chained, "\(authority), server_name: chained.test", "127.0.0.1"),
      (.unknownAuthority, "server_name: idp.test", "127.0.0.1"), (.expired, "verify: false", "127.0.0.1"),
    ] {
      let upstream = try await TestUpstream.echo(secure: try await SecureGateway.server(kind))
      let gateway = try await start(upstream, tls: tls, host: host)
      let response = try await gateway.get("/")
      #expect(response.status == 200 && response.text.contains("X-Forwarded-Proto: http\r\n"), "\(kind) \(tls)")
      let facts = try await upstream.connections[0].securityFacts()
      #expect(facts.version == "TLSv1.3" && facts.applicationProtocol == nil)
      let name = tls.firstMatch(of: /server_name: (\S+)/).map { String($0.1) }
      #expect(facts.serverName == name ?? (host == "localhost" ? host : nil), "\(kind) \(tls)")
    }
  }

  @Test("A wrong name, an unknown authority, a certificate out of date: 502, a word in the log, no request in any form")
  func bad() async throws {
    for (kind, tls, word) in [
      (TestCertificates.Kind.wrongHost, "\(authority), server_name: localhost", "hostname mismatch"),
      (.good, authority, "IP address mismatch"), (.expired, "\(authority), server_name: localhost", "expired"),
      (.unknownAuthority, "\(authority), server_name: localhost", "unable to get local issuer"),
      // The system's store has another root.
      (.good, "server_name: localhost", "unable to get local issuer"),
      (.commonName, "\(authority), server_name: old.test", "hostname mismatch"),
    ] {
      let upstream = try await TestUpstream.echo(secure: try await SecureGateway.server(kind))
      let gateway = try await start(upstream, tls: tls)
      for method in ["GET", "POST"] {
        let response = try await gateway.get("/", method: method, ["Content-Length: 0"])
        #expect(response.status == 502 && response.code == "upstream_connect_failed", "\(kind): \(response)")
        #expect(!response.text.contains("certificate"))
      }
      let line = try await gateway.waitForLog("the failure") { $0.contains("TLS to an upstream failed") }
      #expect(line.contains(word) && line.contains("upstream=service"), "\(kind): \(line)")
      #expect(upstream.requests.isEmpty)
      let metrics = try await gateway.metrics()
      #expect(metrics.sum("catraca_errors_total", ["reason": "upstream_handshake_failed"]) >= 2)
    }
  }

  @Test("A server that speaks no TLS, or says nothing, is a 502 or 504, and sees no request")
  func plain() async throws {
    let upstream = try await TestUpstream.start { connection in
      let hello = try await connection.stream.receiveSome()
      #expect(hello.first == 0x16)
      try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await start(upstream, tls: authority)
    #expect(try await gateway.get("/secret").status == 502)
    #expect(upstream.connections.allSatisfy { !latin1($0.record).contains("secret") })
    let silent = try await TestUpstream.start { try await $0.stream.waitUntilGone() }
    let waiting = try await start(silent, tls: authority, keys: "connect_timeout: 200ms")
    #expect(try await waiting.get("/secret").status == 504)
    #expect(silent.connections.allSatisfy { !latin1($0.record).contains("secret") })
  }

  @Test("The gateway shows its certificate to a server that asks, and without one gets nowhere")
  func clientCertificate() async throws {
    let upstream = try await TestUpstream.echo(secure: try await SecureGateway.server(isClientAsked: true))
    let shown =
      ", certificate: \"\(certificates.certificate(.client))\", key: \"\(certificates.key(.client))\""
    let gateway = try await start(upstream, tls: "\(authority), server_name: localhost\(shown)")
    #expect(try await gateway.get("/").status == 200)
    #expect(try await upstream.connections[0].clientCertificate()?.subject == "CN=caller,O=Test\\, Inc.")
    let without = try await start(upstream, tls: "\(authority), server_name: localhost")
    #expect(try await without.get("/").status == 502)
    #expect(upstream.requests.count == 1)
  }

  @Test("A new connection to a server resumes the session of an earlier one, until a reload")
  func resumption() async throws {
    let resumed = Monitor([Bool]())
    let upstream = try await TestUpstream.start(secure: try await SecureGateway.server()) { connection in
      let request = try await connection.receiveRequest()
      let isResumed = try await connection.stream.securityFacts().isResumed
      resumed.update { $0.append(isResumed) }
      try await connection.answer("once", fields: ["Connection: close"], to: request)
    }
    let gateway = try await start(upstream, tls: "\(authority), server_name: localhost")
    for path in ["/1", "/2", "/3"] { #expect(try await gateway.get(path).text == "once") }
    #expect(resumed.current == [false, true, true])
    // New contexts may have other trust: nothing of before counts.
    #expect(try await gateway.reload().status == 200)
    for path in ["/4", "/5"] { #expect(try await gateway.get(path).text == "once") }
    #expect(resumed.current == [false, true, true, false, true])
  }

  @Test("http2 over TLS requires h2 by ALPN: a server that does not agree to it is not spoken to")
  func wantsHTTP2() async throws {
    for protocols in [[], ["http/1.1"]] {
      let upstream = try await TestUpstream.echo(secure: try await SecureGateway.server(protocols: protocols))
      let gateway = try await start(
        upstream, tls: "\(authority), server_name: localhost", keys: "protocol: http2, connect_timeout: 1m")
      #expect(try await gateway.get("/secret").status == 502)
      _ = try await gateway.waitForLog("why") { $0.contains("TLS to an upstream failed") }
      #expect(upstream.connections.allSatisfy { $0.record.isEmpty })
    }
  }

  @Test("http2 over TLS through nginx, whose certificate is verified", .needs("nginx"))
  func nginx() async throws {
    let folder = try TemporaryFolder()
    let port = try closedPort()
    let path = folder.url.path
    try folder.write(
      "nginx.conf",
      Data(
        """
        daemon off; worker_processes 1; pid \(path)/pid; error_log stderr notice;
        events { worker_connections 64; }
        http {
          access_log off; client_body_temp_path \(path)/b; proxy_temp_path \(path)/p; fastcgi_temp_path \(path)/f;
          uwsgi_temp_path \(path)/u; scgi_temp_path \(path)/s;
          server {
            listen 127.0.0.1:\(port) ssl http2;
            ssl_certificate \(certificates.certificate(.good)); ssl_certificate_key \(certificates.key(.good));
            location / { return 200 "$server_protocol $ssl_server_name $ssl_session_reused"; }
          }
        }
        """.utf8))
    let process = try ChildProcess.start(
      ChildProcess.path(of: "nginx") ?? "nginx", ["-p", path, "-c", "\(path)/nginx.conf"])
    _ = try await process.output.wait(for: "nginx to start") { output in
      output.standardError.contains { $0.contains("start worker process ") } ? true : nil
    }
    let gateway = try await GatewayProcess.start(
      """
      upstreams:
        two: { servers: ["127.0.0.1:\(port)"], protocol: http2, tls: { \(authority), server_name: localhost }, connect_timeout: 1m }
        one: { servers: ["localhost:\(port)"], connect_timeout: 1m, tls: { \(authority) } }
      routes:
        - { path: "/two", auth: public, upstream: two }
        - { path: "/one", auth: public, upstream: one }
      """)
    #expect(try await gateway.get("/two").text == "HTTP/2.0 localhost .")
    #expect(try await gateway.get("/one").text == "HTTP/1.1 localhost .")
    process.kill(SIGTERM)
  }

  @Test("A renewed certificate of the gateway's own is shown to servers from then on, without a reload")
  func renewal() async throws {
    let upstream = try await TestUpstream.start(secure: try await SecureGateway.server(isClientAsked: true)) {
      connection in
      let request = try await connection.receiveRequest()
      try await connection.answer("once", fields: ["Connection: close"], to: request)
    }
    func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    let gateway = try await GatewayProcess.start(
      """
      upstreams:
        service:
          servers: ["127.0.0.1:\(upstream.port)"]
          connect_timeout: 1m
          tls: { \(authority), server_name: localhost, certificate: a.crt, key: a.key }
      routes: [{ path: "/*", auth: public, upstream: service }]
      """,
      files: [
        "a.crt": text(certificates.certificate(.foreignClient)), "a.key": text(certificates.key(.foreignClient)),
      ])
    #expect(try await gateway.get("/").status == 502)
    try gateway.write(file: "a.key", text(certificates.key(.client)))
    try gateway.write(file: "a.crt", text(certificates.certificate(.client)))
    try await gateway.waitUntil("the new certificate") { try await gateway.get("/").status == 200 }
  }
}
