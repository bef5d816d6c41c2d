// Our server against openssl s_client over loopback: another program that speaks the protocol.

import Bytes
import Foundation
import TestSupport
import Testing

@testable import TLS

/// A listening socket. Connections are served blocking, on a thread of their own.
private final class Loopback {
  let descriptor: Int32
  let port: UInt16

  init?() {
    let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard made >= 0 else { return nil }
    descriptor = made
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(made, $0, size) == 0 && listen(made, 8) == 0 && getsockname(made, $0, &size) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard isBound else { return nil }
  }

  deinit { close(descriptor) }
}

/// Serves one connection: everything that comes is sent back, until the peer closes.
private func echo(_ context: ServerContext, on descriptor: Int32) throws -> (TLSFacts, ClientCertificate?, TLSOutcome) {
  var session = try TLSSession(server: context)
  var plaintext = ByteQueue()
  var block = [UInt8](repeating: 0, count: 4_096)
  var outcome = TLSOutcome.incomplete
  while outcome == .incomplete || outcome == .complete {
    let count = unsafe read(descriptor, &block, block.count)
    guard count > 0 else { break }
    outcome = session.receive(Array(block.prefix(count)).span, into: &plaintext, max: .max)
    if !plaintext.isEmpty {
      _ = session.write(plaintext.span)
      plaintext.removeAll()
    }
    if outcome == .closed { session.close() }
    let answer = drain(&session)
    _ = unsafe write(descriptor, answer, answer.count)
  }
  return (session.facts(), session.clientCertificate(), outcome)
}

@Suite struct OpenSSLCommandTests {
  let contexts: TestContexts

  init() async throws { contexts = try await TestContexts() }

  private func serve(
    _ context: ServerContext, _ arguments: [String]
  ) async throws -> (TLSFacts, ClientCertificate?, TLSOutcome, String) {
    let loopback = try #require(Loopback())
    let descriptor = loopback.descriptor
    let (served, result) = AsyncStream.makeStream(
      of: Result<(TLSFacts, ClientCertificate?, TLSOutcome), any Error>.self)
    Thread.detachNewThread {
      let accepted = accept(descriptor, nil, nil)
      defer { close(accepted) }
      result.yield(Result { try echo(context, on: accepted) })
      result.finish()
    }
    let command =
      "echo hello | openssl s_client -connect 127.0.0.1:\(loopback.port) -CAfile \(contexts.certificates.authority) "
      + arguments.joined(separator: " ") + " 2>&1"
    let printed = try await ChildProcess.run("sh", ["-c", command])
    var results = served.makeAsyncIterator()
    let (facts, certificate, outcome) = try #require(await results.next()).get()
    return (facts, certificate, outcome, printed.standardOutput)
  }

  @Test("openssl s_client agrees on everything", arguments: ["-tls1_2", "-tls1_3"])
  func client(version: String) async throws {
    let context = try ServerContext(
      {
        var options = ServerOptions(certificates: [contexts.paths(.wildcard), contexts.paths(.good, ocsp: true)])
        options.applicationProtocols = ["h2", "http/1.1"]
        options.clientCertificates = .required(authority: contexts.certificates.authority)
        return options
      }(), tickets: try TicketKeys())
    let (facts, certificate, _, text) = try await serve(
      context,
      [
        version, "-servername idp.test -verify_hostname idp.test -verify_return_error -status -alpn http/1.1,h2",
        "-cert \(contexts.certificates.certificate(.client)) -key \(contexts.certificates.key(.client))",
      ])
    #expect(facts.applicationProtocol == "h2" && facts.serverName == "idp.test")
    #expect(certificate?.subject == "CN=caller,O=Test\\, Inc.")
    #expect(text.contains("Verify return code: 0 (ok)"))
    #expect(text.contains("OCSP Response Status: successful"))
    #expect(text.contains("ALPN protocol: h2"))
    #expect(text.contains("Acceptable client certificate CA names"))
    #expect(text.contains("Compression: NONE"))
  }

  @Test("openssl s_client with old versions or weak ciphers finds nobody", arguments: ["-tls1", "-tls1_1", "-tls1_2"])
  func weak(version: String) async throws {
    let (_, _, outcome, text) = try await serve(
      try contexts.server(.good), [version, "-cipher 'ALL:!ECDHE:@SECLEVEL=0'"])
    let error = failure(outcome)
    #expect(error?.result == (version == "-tls1_2" ? .noSharedCipher : .noSharedVersion))
    #expect(text.contains("alert"))
  }
}
