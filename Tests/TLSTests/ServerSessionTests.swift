// Our server against our client: certificates by name, ALPN, versions, what both know afterwards, hostile bytes.

import Bytes
import COpenSSL
import TestBasics
import TestSupport
import Testing

@testable import TLS

@Suite struct ServerSessionTests {
  let contexts: TestContexts

  init() async throws { contexts = try await TestContexts() }

  @Test("A handshake comes to its end whatever the pieces in which it arrives", arguments: [1, 2, 3, 100, .max])
  func pieces(step: Int) throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    let (client, server) = ends.run(step: step)
    #expect(client == .incomplete && server == .incomplete)
    let (areEstablished, facts) = (ends.areEstablished, ends.server.facts())
    #expect(areEstablished)
    #expect(
      facts
        == TLSFacts(
          version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", isResumed: false, applicationProtocol: nil,
          serverName: "idp.test"))
    let certificate = ends.server.clientCertificate()
    #expect(certificate == nil)
  }

  @Test("A handshake cut in two at each of its bytes comes to its end")
  func cutOnce() throws {
    let (client, server) = (try contexts.client(), try contexts.server(.good))
    var hello = try TLSSession(client: client, host: "idp.test")
    _ = hello.handshake()
    let count = drain(&hello).count
    for cut in 1..<count {
      var ends = try Ends.make(client, server)
      _ = ends.client.handshake()
      let bytes = drain(&ends.client)
      for part in [bytes[..<cut], bytes[cut...]] {
        let outcome = ends.server.receive(Array(part).span, into: &ends.serverText, max: 100)
        #expect(outcome == .incomplete)
      }
      ends.run()
      let areEstablished = ends.areEstablished
      #expect(areEstablished, "cut at \(cut)")
    }
  }

  @Test("The certificate follows the name: exact, then one label for an asterisk, then the first")
  func names() throws {
    let server = try contexts.server(.good, .wildcard, .commonName, .address)
    let client = try contexts.client { $0.isVerified = false }
    for (host, expected) in [
      ("idp.test", "localhost"), ("LOCALHOST.", "localhost"), ("a.apps.test", "*.apps.test"),
      ("b.APPS.test", "*.apps.test"), ("apps.test", "*.apps.test"), ("a.b.apps.test", "localhost"),
      ("old.test", "old.test"), ("unknown.test", "localhost"), ("127.0.0.1", "localhost"),
      ("*.apps.test", "*.apps.test"),
    ] {
      var ends = try Ends.make(client, server, host: host)
      ends.run()
      let shown = unsafe SSL_get0_peer_certificate(ends.client.ssl).map { unsafe CertificateInfo(of: $0) }
      #expect(shown?.names.first == expected, "\(host)")
    }
  }

  @Test("RSA and ECDSA are side by side: what the client can verify decides", arguments: [TLSVersion.tls12, .tls13])
  func keyTypes(version: TLSVersion) throws {
    let server = try contexts.server(.good, .rsa)
    #expect(server.certificates.map(\.keyType) == ["EC P-256", "RSA 2048"])
    for (signatures, expected) in [("ECDSA+SHA256:RSA-PSS+SHA256", "EC"), ("RSA-PSS+SHA256:RSA+SHA256", "RSA")] {
      var ends = try Ends.make(try contexts.client(), server)
      _ = unsafe signatures.withCString {
        unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_SIGALGS_LIST, 0, UnsafeMutableRawPointer(mutating: $0))
      }
      if version == .tls12 {
        _ = unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
      }
      ends.run()
      let areEstablished = ends.areEstablished
      #expect(areEstablished)
      let shown = unsafe SSL_get0_peer_certificate(ends.client.ssl).map { unsafe CertificateInfo(of: $0) }
      #expect(shown?.keyType.hasPrefix(expected) == true)
    }
  }

  @Test("A chain in the certificate's file is sent along. Without it the client refuses")
  func chain() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.chained), host: "chained.test")
    ends.run()
    #expect(ends.areEstablished as Bool)
    let alone = try contexts.server(.chained) {
      $0.certificates[0].certificate = contexts.certificates.file("chainedAlone.crt")
    }
    var broken = try Ends.make(try contexts.client(), alone, host: "chained.test")
    let (client, server) = broken.run()
    #expect(failure(client)?.result == .certificateInvalid)
    #expect(failure(server)?.result == .refusedByPeer)
  }

  @Test("ALPN takes the server's first of the common ones, and refuses a client that offers only others")
  func applicationProtocols() throws {
    let server = try contexts.server(.good) { $0.applicationProtocols = ["h2", "http/1.1"] }
    for (offered, expected) in [
      (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (["spdy/3", "http/1.1"], "http/1.1"), ([], nil),
    ] {
      var ends = try Ends.make(try contexts.client { $0.applicationProtocols = offered }, server)
      ends.run()
      let facts = ends.server.facts()
      #expect(facts.applicationProtocol == expected)
      let seen = ends.client.facts()
      #expect(seen.applicationProtocol == expected)
    }
    var ends = try Ends.make(try contexts.client { $0.applicationProtocols = ["h3"] }, server)
    let (client, refusal) = ends.run()
    #expect(failure(refusal)?.result == .noSharedProtocol)
    #expect(failure(client)?.reason == "tlsv1 alert no application protocol")
  }

  @Test("The minimum version is kept, and the reason reported")
  func versions() throws {
    let newest = try contexts.server(.good) { $0.minimumVersion = .tls13 }
    let both = try contexts.server(.good)
    for (server, isGood) in [(newest, false), (both, true)] {
      var ends = try Ends.make(try contexts.client(), server)
      _ = unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
      let (_, outcome) = ends.run()
      if isGood {
        let facts = ends.server.facts()
        #expect(facts.version == "TLSv1.2" && facts.cipher == "ECDHE-ECDSA-AES128-GCM-SHA256")
      } else {
        #expect(failure(outcome)?.result == .noSharedVersion)
      }
    }
  }

  @Test("A client without a cipher of ours is refused with that reason")
  func ciphers() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    _ = unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
    #expect(unsafe SSL_set_cipher_list(ends.client.ssl, "ECDHE-ECDSA-AES128-SHA256") == 1)
    let (_, server) = ends.run()
    #expect(failure(server)?.result == .noSharedCipher)
  }

  @Test("Plain HTTP on a TLS port is recognised, and no alert precedes a readable answer")
  func plainHTTP() throws {
    let context = try contexts.server(.good)
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /a HTTP/1.1\r\n", "CONNECT a:443 HTTP/1.1\r\n"] {
      var session = try TLSSession(server: context)
      var plaintext = ByteQueue()
      let error = failure(session.receive([UInt8](request.utf8).span, into: &plaintext, max: 100))
      #expect(error?.isPlainHTTP == true && error?.result == .plainHTTP)
      let answer = drain(&session)
      #expect(answer.isEmpty)
    }
  }

  @Test("Garbage, and a hello that is changed or cut off at any byte, end cleanly")
  func garbage() throws {
    let context = try contexts.server(.good, .rsa) { $0.applicationProtocols = ["h2", "http/1.1"] }
    let client = try contexts.client { $0.applicationProtocols = ["h2"] }
    var clientSession = try TLSSession(client: client, host: "idp.test")
    _ = clientSession.handshake()
    let hello = drain(&clientSession)
    var failed = 0
    var generator = SeededGenerator(seed: 7)
    for index in hello.indices {
      for value in [0, 0xFF, hello[index] ^ 1, UInt8.random(in: 0...255, using: &generator)] {
        var bytes = hello
        bytes[index] = value
        failed += try Self.outcome(of: bytes, context)
      }
      // What follows a cut is not TLS.
      failed += try Self.outcome(of: Array(hello[..<index]) + [UInt8](repeating: 0xFF, count: 300), context)
      #expect(try Self.outcome(of: Array(hello[..<index]), context) == 0)
    }
    #expect(failed > hello.count)
    for _ in 0..<200 {
      let bytes = (0..<400).map { _ in UInt8.random(in: 0...255, using: &generator) }
      #expect(try Self.outcome(of: bytes, context) == 1)
    }
    #expect(ERR_peek_error() == 0)
  }

  /// 1 for a failure, which is final.
  private static func outcome(of bytes: [UInt8], _ context: ServerContext) throws -> Int {
    var session = try TLSSession(server: context)
    var plaintext = ByteQueue()
    let outcome = session.receive(bytes.span, into: &plaintext, max: 100)
    guard case .failed(let error) = outcome else { return 0 }
    #expect(
      [.protocolError, .noSharedVersion, .noSharedCipher, .noSharedProtocol, .plainHTTP].contains(error.result)
        || error.result == .refusedByPeer)
    let again = session.receive(bytes.span, into: &plaintext, max: 100)
    #expect(again == outcome)
    let isWritten = session.write([1].span)
    #expect(isWritten == outcome)
    return 1
  }

  @Test("Bytes of any number cross both ways, and a limit of plaintext holds the rest back")
  func limits() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    ends.run()
    let large = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
    #expect(ends.writeFromClient(large) == .complete)
    let ciphertext = drain(&ends.client)
    var outcome = ends.server.receive(ciphertext.span, into: &ends.serverText, max: 1_000)
    var read = 0
    while outcome == .more {
      #expect(ends.serverText.count - read == 1_000)
      read = ends.serverText.count
      outcome = ends.server.read(into: &ends.serverText, max: 1_000)
    }
    #expect(outcome == .incomplete)
    let received = ends.serverText.copied()
    #expect(received == large)
    #expect(ends.writeFromServer(large) == .complete)
    ends.run(step: 1_461)
    let returned = ends.clientText.copied()
    #expect(returned == large)
    let held = ends.server.ciphertext.count
    #expect(held == 0)
  }

  @Test("Ciphertext that nobody makes room for is bounded")
  func heldBack() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    ends.run()
    let block = [UInt8](repeating: 1, count: 200_000)
    var outcome = TLSOutcome.incomplete
    var rounds = 0
    while outcome == .incomplete || outcome == .more, rounds < 20 {
      rounds += 1
      _ = ends.writeFromClient(block)
      let ciphertext = drain(&ends.client)
      outcome = ends.server.receive(ciphertext.span, into: &ends.serverText, max: 0)
    }
    #expect(failure(outcome)?.result == .protocolError)
    #expect(rounds == 6)
  }

  @Test("Key updates that ask for answers are answered, until too many wait unsent")
  func keyUpdates() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    ends.run()
    for isTaken in [true, false] {
      var outcome = TLSOutcome.incomplete
      for _ in 0..<2_000 where outcome == .incomplete {
        #expect(unsafe SSL_key_update(ends.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
        #expect(unsafe SSL_do_handshake(ends.client.ssl) == 1)
        let update = drain(&ends.client)
        outcome = ends.server.receive(update.span, into: &ends.serverText, max: 100)
        if isTaken { _ = ends.client.receive(drain(&ends.server).span, into: &ends.clientText, max: 100) }
      }
      if isTaken { #expect(outcome == .incomplete) } else { #expect(failure(outcome)?.result == .protocolError) }
    }
  }

  @Test("Either end closes properly, and the other one knows")
  func closing() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    ends.run()
    _ = ends.writeFromServer([1, 2, 3])
    ends.server.close()
    let outcome = ends.client.receive(drain(&ends.server).span, into: &ends.clientText, max: 100)
    #expect(outcome == .closed)
    let (text, isClosed) = (ends.clientText.copied(), ends.client.isClosedByPeer)
    #expect(text == [1, 2, 3] && isClosed)
    ends.client.close()
    let end = ends.server.receive(drain(&ends.client).span, into: &ends.serverText, max: 100)
    #expect(end == .closed)
  }

  @Test("Nothing can be written before the handshake is complete")
  func early() throws {
    var session = try TLSSession(server: try contexts.server(.good))
    let outcome = session.write([1].span)
    #expect(outcome == .incomplete)
    session.close()
    let bytes = drain(&session)
    #expect(bytes.isEmpty)
  }

  @Test("A client cannot renegotiate")
  func renegotiation() throws {
    var ends = try Ends.make(try contexts.client(), try contexts.server(.good))
    _ = unsafe SSL_ctrl(ends.client.ssl, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
    ends.run()
    unsafe SSL_clear_options(ends.client.ssl, catraca_client_options())
    #expect(unsafe SSL_renegotiate(ends.client.ssl) == 1)
    ERR_clear_error()
    _ = unsafe SSL_do_handshake(ends.client.ssl)
    let hello = drain(&ends.client)
    #expect(!hello.isEmpty)
    let outcome = ends.server.receive(hello.span, into: &ends.serverText, max: 100)
    #expect(outcome == .incomplete)
    let refusal = ends.client.receive(drain(&ends.server).span, into: &ends.clientText, max: 100)
    #expect(failure(refusal)?.reason == "no renegotiation")
  }
}
