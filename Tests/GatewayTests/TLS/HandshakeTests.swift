// Handshakes as curl and openssl see them: which certificate, which protocol, resumed or not, stapled or not.

import Foundation
import TestSupport
import Testing

@Suite("TLS handshakes", .needs("openssl"), .needs("curl"))
struct HandshakeTests {
  @Test(
    "The certificate is chosen by name: exact, wildcard of one label, its common name, and the first for all others",
    arguments: [
      ("localhost", true), ("IDP.test", true), ("a.apps.test", true), ("apps.test", true), ("chained.test", true),
      ("a.b.apps.test", false), ("nobody.test", false),
    ])
  func names(_ name: String, _ isServed: Bool) async throws {
    let gateway = try await SecureGateway.start([.good, .wildcard, .commonName, .chained])
    let (status, text) = try await gateway.curl([], host: name)
    #expect(isServed ? status == 0 && text == "ok" : status == 60, "\(text)")
    let shown = try await gateway.sClient("-servername old.test")
    #expect(shown.contains("subject=CN = old.test"), "\(shown)")
    let other = try await gateway.sClient("-servername nobody.test -verify_hostname localhost")
    #expect(other.contains("Verify return code: 0 (ok)"), "\(other)")
    let none = try await gateway.sClient("-noservername -verify_hostname localhost")
    #expect(none.contains("Verify return code: 0 (ok)"), "\(none)")
  }

  @Test("RSA and ECDSA are side by side for one name: each client gets what it can check", arguments: [0, 1])
  func keyTypes(_ order: Int) async throws {
    let gateway = try await SecureGateway.start(order == 0 ? [.good, .rsa] : [.rsa, .good])
    for version in ["-tls1_2", "-tls1_3"] {
      let both = try await gateway.sClient("\(version) -servername localhost")
      #expect(both.contains("Peer signature type: ECDSA"), "\(both)")
      let rsa = try await gateway.sClient("\(version) -servername localhost -sigalgs RSA-PSS+SHA256:RSA+SHA256 -status")
      #expect(rsa.contains("Peer signature type: RSA-PSS"), "\(rsa)")
      #expect(rsa.contains("OCSP Response Status: successful") && rsa.contains("HTTP/1.1 200 OK"), "\(rsa)")
    }
    #expect(try await gateway.process.metrics().sum("catraca_tls_handshakes_total", ["result": "ok"]) == 4)
  }

  @Test("ALPN agrees on what the listener offers, in its order. A client that knows none of it is turned away")
  func applicationProtocols() async throws {
    let gateway = try await SecureGateway.start(tls: "alpn: [http/1.1]")
    #expect(try await gateway.sClient("-alpn h2,http/1.1").contains("ALPN protocol: http/1.1"))
    #expect(try await gateway.sClient("").contains("No ALPN negotiated"))
    let refused = try await gateway.sClient("-alpn spdy/9")
    #expect(refused.contains("no application protocol") || refused.contains("alert number 120"), "\(refused)")
    let both = try await SecureGateway.start()
    #expect(try await both.sClient("-alpn http/1.1,h2").contains("ALPN protocol: h2"))
    try await gateway.waitForHandshakes("no_shared_protocol", 1)
    let line = try await gateway.process.waitForAccessLog(containing: "\"alpn\":\"http/1.1\"")
    #expect(line.contains("\"tls_version\":\"TLSv1.3\"") && line.contains("\"tls_cipher\":\"TLS_AES_128_GCM_SHA256\""))
    #expect(line.contains("\"tls_resumed\":false") && line.contains("\"protocol\":\"HTTP/1.1\""), "\(line)")
  }

  @Test("The OCSP response of the certificate's file is stapled when a client asks for it, and only then")
  func stapling() async throws {
    let gateway = try await SecureGateway.start([.good, .wildcard])
    for version in ["-tls1_2", "-tls1_3"] {
      let stapled = try await gateway.sClient("\(version) -status -servername localhost")
      #expect(stapled.contains("OCSP Response Status: successful") && stapled.contains("Cert Status: good"))
      let other = try await gateway.sClient("\(version) -status -servername a.apps.test")
      #expect(other.contains("OCSP response: no response sent"), "\(other)")
      #expect(try await !gateway.sClient("\(version) -servername localhost").contains("OCSP Response"))
    }
  }

  @Test("A session is resumed on a new connection, also after a reload", arguments: ["-tls1_2", "-tls1_3"])
  func resumption(_ version: String) async throws {
    let gateway = try await SecureGateway.start()
    let folder = try TemporaryFolder()
    let session = folder.url.appending(path: "session").path
    #expect(try await gateway.sClient("\(version) -servername localhost -sess_out \(session)").contains("New, TLSv1."))
    for _ in 0..<2 {
      let again = try await gateway.sClient(
        "\(version) -servername localhost -sess_in \(session) -sess_out \(session)")
      #expect(again.contains("Reused, TLSv1.") && again.contains("HTTP/1.1 200 OK"), "\(again)")
      #expect(try await gateway.process.reload().status == 200)
    }
    try await gateway.waitForHandshakes("resumed", 2)
    _ = try await gateway.process.waitForAccessLog(containing: "\"tls_resumed\":true")
  }

  @Test("Two gateways with the same ticket_keys resume each other's sessions. Without, nobody else's")
  func fleet() async throws {
    let folder = try TemporaryFolder()
    try folder.write("tickets", Data((0..<80).map { UInt8($0) }))
    let path = folder.url.appending(path: "tickets").path
    let session = folder.url.appending(path: "session").path
    let first = try await SecureGateway.start(tls: "ticket_keys: \"\(path)\"")
    let second = try await SecureGateway.start(tls: "ticket_keys: \"\(path)\"")
    let stranger = try await SecureGateway.start()
    for version in ["-tls1_2", "-tls1_3"] {
      _ = try await first.sClient("\(version) -servername localhost -sess_out \(session)")
      #expect(try await second.sClient("\(version) -servername localhost -sess_in \(session)").contains("Reused, "))
      #expect(try await stranger.sClient("\(version) -servername localhost -sess_in \(session)").contains("New, "))
    }
  }

  @Test("Old versions and weak ciphers find nobody. 1.2 does not where minimum_version is 1.3")
  func versions() async throws {
    let gateway = try await SecureGateway.start(tls: "minimum_version: \"1.3\"")
    for version in ["-tls1", "-tls1_1", "-tls1_2"] {
      #expect(try await !gateway.sClient("\(version) -cipher ALL:@SECLEVEL=0").contains("HTTP/1.1 200"), "\(version)")
    }
    try await gateway.waitForHandshakes("no_shared_version", 3)
    #expect(try await gateway.sClient("-tls1_3").contains("HTTP/1.1 200 OK"))
    let usual = try await SecureGateway.start()
    for cipher in ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"] {
      let printed = try await usual.sClient("-tls1_2 -cipher \(cipher):@SECLEVEL=0")
      #expect(!printed.contains("HTTP/1.1 200"), "\(cipher)")
    }
    try await usual.waitForHandshakes("no_shared_cipher", 4)
  }

  @Test(
    "With compatibility: old, TLS 1.2 with CBC is accepted from clients that know nothing better, and nothing older is",
    arguments: [
      "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA",
      "ECDHE-ECDSA-AES128-SHA256",
    ])
  func oldCiphers(_ cipher: String) async throws {
    let gateway = try await SecureGateway.start([.good, .rsa], tls: "compatibility: old")
    #expect(gateway.process.standardError.contains { $0.contains("'compatibility: old' accepts CBC cipher suites") })
    let old = try await gateway.sClient("-tls1_2 -cipher \(cipher)")
    #expect(old.contains("HTTP/1.1 200 OK") && old.contains("Cipher is \(cipher)"), "\(old)")
    let both = try await gateway.sClient("-tls1_2 -cipher \(cipher):ECDHE-ECDSA-AES128-GCM-SHA256")
    #expect(both.contains("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"), "\(both)")
    let newest = try await gateway.sClient("-cipher \(cipher)")
    #expect(newest.contains("New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256"), "\(newest)")
    for weaker in ["-tls1_1 -cipher ALL", "-tls1_2 -cipher AES128-SHA", "-tls1_2 -cipher DHE-RSA-AES128-SHA"] {
      #expect(try await !gateway.sClient("\(weaker):@SECLEVEL=0").contains("HTTP/1.1 200"), "\(weaker)")
    }
    let usual = try await SecureGateway.start([.good, .rsa])
    #expect(try await !usual.sClient("-tls1_2 -cipher \(cipher):@SECLEVEL=0").contains("HTTP/1.1 200"))
    try await usual.waitForHandshakes("no_shared_cipher", 1)
  }

  @Test("A session with a CBC cipher suite is not resumed once a reload has taken compatibility: old away")
  func oldSession() async throws {
    let gateway = try await SecureGateway.start(tls: "compatibility: old")
    let folder = try TemporaryFolder()
    let session = folder.url.appending(path: "session").path
    let old = "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA -servername localhost"
    #expect(try await gateway.sClient("\(old) -sess_out \(session)").contains("HTTP/1.1 200 OK"))
    #expect(try await gateway.sClient("\(old) -sess_in \(session)").contains("Reused, "))
    try gateway.process.write(configuration: try await SecureGateway.listener() + SecureGateway.answering)
    #expect(try await gateway.process.reload().status == 200)
    #expect(try await !gateway.sClient("\(old) -sess_in \(session)").contains("HTTP/1.1 200"))
  }

  @Test("The upstream learns of https, and each of two certificates of one name has its expiry in the metrics")
  func told() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await SecureGateway.start([.good, .rsa], rest: Configurations.plain(upstream))
    let (status, text) = try await gateway.curl([])
    #expect(status == 0 && text.contains("X-Forwarded-Proto: https"), "\(text)")
    let samples = try await gateway.process.metrics().samples.filter {
      $0.name == "catraca_tls_certificate_expiry_seconds"
    }
    #expect(samples.count == 2 && Set(samples.map { "\($0.labels)" }).count == 2, "\(samples)")
    let now = Date().timeIntervalSince1970
    #expect(
      samples.allSatisfy {
        $0.value > now + 28 * 86400 && $0.value < now + 31 * 86400 && $0.labels["name"] == "localhost"
      })
  }
}
