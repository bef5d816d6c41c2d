// Both ends of a connection, ours, with a wire between them that cuts bytes where a test requires it.

import Bytes
import TestSupport
import Testing

@testable import TLS

/// A client and a server session.
struct Ends: ~Copyable {
  var client: TLSSession
  var server: TLSSession
  /// What each of them has read.
  var clientText = ByteQueue()
  var serverText = ByteQueue()

  private init(client: consuming TLSSession, server: consuming TLSSession) {
    self.client = client
    self.server = server
  }

  static func make(
    _ client: ClientContext, _ server: ServerContext, host: String = "idp.test", resuming: TLSResumption? = nil
  ) throws -> Ends {
    let server = try TLSSession(server: server)
    return Ends(client: try TLSSession(client: client, host: host, resuming: resuming), server: server)
  }

  /// Carries bytes to and fro until none are left, `step` of them at once.
  /// - Returns: what both said last.
  @discardableResult
  mutating func run(step: Int = .max) -> (client: TLSOutcome, server: TLSOutcome) {
    var client = self.client.handshake()
    var server = TLSOutcome.incomplete
    while true {
      let up = drain(&self.client)
      for part in Self.parts(up, step) {
        server = self.server.receive(part.span, into: &serverText, max: .max)
      }
      let down = drain(&self.server)
      for part in Self.parts(down, step) {
        client = self.client.receive(part.span, into: &clientText, max: .max)
      }
      if up.isEmpty && down.isEmpty { return (client, server) }
    }
  }

  /// Takes what the client wrote, without an answer.
  mutating func writeFromClient(_ bytes: [UInt8]) -> TLSOutcome { client.write(bytes.span) }
  mutating func writeFromServer(_ bytes: [UInt8]) -> TLSOutcome { server.write(bytes.span) }

  var areEstablished: Bool { client.isEstablished && server.isEstablished }

  private static func parts(_ bytes: [UInt8], _ step: Int) -> [[UInt8]] {
    var parts: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      parts.append(Array(rest.prefix(step)))
      rest = rest.dropFirst(step)
    }
    return parts
  }
}

/// What most tests need of contexts.
struct TestContexts {
  let certificates: TestCertificates

  init() async throws { certificates = try await TestCertificates.shared() }

  func paths(_ kind: TestCertificates.Kind, ocsp: Bool = false) -> CertificatePaths {
    CertificatePaths(
      certificate: certificates.certificate(kind), key: certificates.key(kind),
      ocsp: ocsp ? certificates.file("\(kind.rawValue).ocsp") : nil)
  }

  func server(
    _ kinds: TestCertificates.Kind..., tickets: TicketKeys? = nil, _ change: (inout ServerOptions) -> Void = { _ in }
  ) throws -> ServerContext {
    var options = ServerOptions(certificates: kinds.map { paths($0) })
    change(&options)
    return try ServerContext(options, tickets: tickets ?? TicketKeys())
  }

  func client(_ change: (inout ClientOptions) -> Void = { _ in }) throws -> ClientContext {
    var options = ClientOptions(trust: .file(certificates.authority))
    options.applicationProtocols = []
    change(&options)
    return try ClientContext(options)
  }
}

func failure(_ outcome: TLSOutcome, _ place: SourceLocation = #_sourceLocation) -> TLSError? {
  if case .failed(let error) = outcome { return error }
  Issue.record("no failure but \(outcome)", sourceLocation: place)
  return nil
}
