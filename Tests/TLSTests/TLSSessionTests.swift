// A client's session against a server's, byte by byte, without a socket.

import Bytes
import COpenSSL
import TestSupport
import Testing

@testable import TLS

/// Runs both ends until the client's handshake ends. `step` is how many bytes cross at once.
func handshake(_ session: inout TLSSession, with peer: TestPeer, step: Int = .max) -> TLSOutcome {
  var toClient: [UInt8] = []
  var plaintext = ByteQueue()
  var outcome = session.handshake()
  for _ in 0..<100_000 {
    let toServer = drain(&session)
    if case .failed = outcome { return outcome }
    if !toServer.isEmpty { toClient += peer.exchange(toServer) }
    if toClient.isEmpty { return session.isEstablished ? .complete : outcome }
    let part = Array(toClient.prefix(step))
    toClient.removeFirst(part.count)
    outcome = session.receive(part.span, into: &plaintext, max: 1 << 20)
  }
  return .incomplete
}

func drain(_ session: inout TLSSession) -> [UInt8] {
  var queue = ByteQueue()
  session.takeCiphertext(into: &queue)
  return queue.span.copied()
}

@Suite struct TLSSessionTests {
  let certificates: TestCertificates

  init() async throws { certificates = try await TestCertificates.shared() }

  private func peer(_ kind: TestCertificates.Kind, versionMax: Int32 = TLS1_3_VERSION) throws -> TestPeer {
    try #require(
      TestPeer(
        certificate: certificates.certificate(kind), key: certificates.key(kind), versionMax: versionMax))
  }

  private func outcome(_ kind: TestCertificates.Kind, host: String, trust: Trust? = nil) throws -> TLSOutcome {
    let context = try ClientContext(trust: trust ?? .file(certificates.authority))
    var session = try TLSSession(client: context, host: host)
    return handshake(&session, with: try peer(kind))
  }

  @Test("A certificate of the right host and authority passes, whether the name has a final dot or not")
  func good() throws {
    #expect(try outcome(.good, host: "idp.test") == .complete)
    #expect(try outcome(.good, host: "idp.test.") == .complete)
  }

  @Test("T25 A certificate for another host is refused with the reason")
  func wrongHost() throws {
    let error = try failure(outcome(.wrongHost, host: "idp.test"))
    #expect(error.reason == "certificate verify failed: hostname mismatch")
    #expect(error.isCertificateRefused)
  }

  @Test("T25 An expired certificate is refused with the reason")
  func expired() throws {
    #expect(
      try failure(outcome(.expired, host: "idp.test")).reason
        == "certificate verify failed: certificate has expired")
  }

  @Test("T25 A certificate of an unknown authority is refused with the reason, also under the system's trust")
  func unknownAuthority() throws {
    let reason = "certificate verify failed: unable to get local issuer certificate"
    #expect(try failure(outcome(.unknownAuthority, host: "idp.test")).reason == reason)
    #expect(try failure(outcome(.good, host: "idp.test", trust: .system)).reason == reason)
  }

  @Test("An address is compared with the certificate's addresses and not sent as a server name")
  func address() throws {
    #expect(try outcome(.address, host: "127.0.0.1") == .complete)
    #expect(
      try failure(outcome(.address, host: "127.0.0.2")).reason
        == "certificate verify failed: IP address mismatch")
    #expect(
      try failure(outcome(.good, host: "127.0.0.1")).reason == "certificate verify failed: IP address mismatch")
  }

  @Test("The server's own certificate may be the anchor")
  func pinned() throws {
    #expect(
      try outcome(.unknownAuthority, host: "idp.test", trust: .file(certificates.certificate(.unknownAuthority)))
        == .complete)
  }

  @Test("The name goes out as SNI, an address does not")
  func serverName() throws {
    let context = try ClientContext(trust: .file(certificates.authority))
    for (host, kind, expected) in [("idp.test", TestCertificates.Kind.good, "idp.test"), ("127.0.0.1", .address, nil)] {
      let peer = try peer(kind)
      var session = try TLSSession(client: context, host: host)
      #expect(handshake(&session, with: peer) == .complete)
      #expect(peer.serverName == expected)
    }
  }

  @Test("A server that offers no more than TLS 1.1 is refused, one with TLS 1.2 is not")
  func versions() throws {
    let context = try ClientContext(trust: .file(certificates.authority))
    var old = try TLSSession(client: context, host: "idp.test")
    let refusal = handshake(&old, with: try peer(.good, versionMax: 0x302))
    #expect(try failure(refusal).isCertificateRefused == false)
    var newer = try TLSSession(client: context, host: "idp.test")
    #expect(handshake(&newer, with: try peer(.good, versionMax: TLS1_2_VERSION)) == .complete)
    let version = newer.version
    #expect(version == "TLSv1.2")
  }

  @Test("Bytes cross both ways, whatever the pieces in which they arrive", arguments: [1, 2, 7, 1000, .max])
  func pieces(step: Int) throws {
    let context = try ClientContext(trust: .file(certificates.authority))
    let peer = try peer(.good)
    var session = try TLSSession(client: context, host: "idp.test")
    #expect(handshake(&session, with: peer, step: step) == .complete)
    let question = [UInt8]("GET / HTTP/1.1\r\n\r\n".utf8)
    #expect(session.write(question.span) == .complete)
    peer.receive(drain(&session))
    #expect(peer.read() == question)
    let answer = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for part in stride(from: 0, to: answer.count, by: 16_000) {
      peer.write(Array(answer[part..<min(part + 16_000, answer.count)]))
    }
    peer.close()
    var ciphertext = peer.takeCiphertext()[...]
    var plaintext = ByteQueue()
    while !ciphertext.isEmpty {
      let isClosedEarly = session.isClosedByPeer
      #expect(!isClosedEarly)
      let part = Array(ciphertext.prefix(step))
      ciphertext = ciphertext.dropFirst(part.count)
      let outcome = session.receive(part.span, into: &plaintext, max: 1 << 20)
      #expect(outcome == (ciphertext.isEmpty ? .closed : .incomplete))
    }
    let isClosed = session.isClosedByPeer
    #expect(isClosed)
    let read = plaintext.span.copied()
    #expect(read == answer)
  }

  @Test("Ciphertext that was changed on the way ends the session for good")
  func tampered() throws {
    let context = try ClientContext(trust: .file(certificates.authority))
    let peer = try peer(.good)
    var session = try TLSSession(client: context, host: "idp.test")
    #expect(handshake(&session, with: peer) == .complete)
    var plaintext = ByteQueue()
    peer.write([1, 2, 3])
    var record = peer.takeCiphertext()
    record[record.count - 1] ^= 1
    let first = try failure(session.receive(record.span, into: &plaintext, max: 1 << 20))
    #expect(!first.isCertificateRefused)
    let byteCount = plaintext.count
    #expect(byteCount == 0)
    #expect(try failure(session.read(into: &plaintext, max: 1 << 20)) == first)
    #expect(try failure(session.write([1].span)) == first)
  }

  @Test("What is not TLS ends the handshake with a reason, and never a trap")
  func noise() throws {
    let context = try ClientContext(trust: .file(certificates.authority))
    let texts = ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n", "\u{16}\u{3}\u{3}\u{0}\u{4}\u{2}\u{0}\u{0}\u{0}"]
    for bytes in texts.map({ Array($0.utf8) }) + [[UInt8](repeating: 0xFF, count: 600)] {
      let error = try failure(Self.answering(bytes, in: context))
      #expect(!error.reason.isEmpty)
    }
  }

  private static func answering(_ bytes: [UInt8], in context: ClientContext) throws -> TLSOutcome {
    var session = try TLSSession(client: context, host: "idp.test")
    _ = session.handshake()
    var plaintext = ByteQueue()
    return session.receive(bytes.span, into: &plaintext, max: 1 << 20)
  }

  @Test("A trust file that is not there or holds nothing is an error that names it")
  func badTrust() throws {
    #expect {
      try ClientContext(trust: .file("/nonexistent/ca.crt"))
    } throws: { error in
      String(describing: error).hasPrefix("/nonexistent/ca.crt: ")
    }
    #expect(throws: TLSError.self) { try ClientContext(trust: .file(certificates.key(.good))) }
  }

  @Test("An empty host name, or one with a NUL, makes no session", arguments: ["", ".", "a\0b"])
  func badHost(host: String) throws {
    let context = try ClientContext(trust: .system)
    #expect(throws: TLSError.self) { _ = try TLSSession(client: context, host: host) }
  }

  @Test("Errors of one session do not leak into the next one's")
  func queueIsEmptied() throws {
    ERR_clear_error()
    let context = try ClientContext(trust: .system)
    let error = try failure(Self.answering([0xFF, 0, 0, 0, 0, 0], in: context))
    #expect(!error.reason.isEmpty)
    #expect(ERR_peek_error() == 0)
    #expect(throws: TLSError.self) { try ClientContext(trust: .file("/nonexistent")) }
    #expect(ERR_peek_error() == 0)
  }

  private func failure(_ outcome: TLSOutcome) throws -> TLSError {
    guard case .failed(let error) = outcome else {
      Issue.record("no failure but \(outcome)")
      throw TLSError.connectionClosed
    }
    return error
  }
}
