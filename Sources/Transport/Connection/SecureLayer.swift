// TLS between a socket and its connection: ciphertext on one side, the connection's bytes on the other. Bound to the
// loop of its socket, as that is.

import Bytes
package import Configuration
package import Proxy
package import TLS

/// One socket's TLS session, with what is done when its handshake is through.
final class SecureLayer {
  var session: TLSSession
  /// For a connection to a server: where its resumable session is kept, and what the server must have agreed to.
  let resumptionKey: String?
  let requiredProtocol: ApplicationProtocol?

  /// LIMIT: ciphertext that is made ahead of the kernel: some records in one write, and no more.
  static let ciphertextHighWater = 64 * 1024
  /// Ciphertext that waits is copied to the loop's memory, to be sent with what follows, if it is no more than this.
  private static let copiedByteCountMax = 4 * 1024

  init(server context: ServerContext) throws(TLSError) {
    session = try TLSSession(server: context)
    resumptionKey = nil
    requiredProtocol = nil
  }

  init(
    client context: ClientContext, host: String, resuming resumption: TLSResumption?, resumptionKey: String,
    requiredProtocol: ApplicationProtocol?
  ) throws(TLSError) {
    session = try TLSSession(client: context, host: host, resuming: resumption)
    self.resumptionKey = resumptionKey
    self.requiredProtocol = requiredProtocol
  }

  /// Encrypts from the front of the queue until enough waits to be written.
  /// - Parameter memory: the loop's, in which ciphertext is made until it is given back.
  /// - Returns: false when the session is dead.
  func encrypt(_ connection: Connection, in memory: inout ByteQueue) -> Bool {
    if session.ciphertext.count <= Self.copiedByteCountMax { session.lend(&memory) }
    while true {
      let room = Self.ciphertextHighWater - session.ciphertext.count
      if room <= 0 { return true }
      connection.fillOutput()
      if connection.transfer.output.isEmpty {
        writeBehind(connection)
        return true
      }
      let count = min(connection.transfer.output.count, room)
      guard case .complete = session.write(connection.transfer.output.span.extracting(0..<count)) else { return false }
      connection.transfer.took(count, waiting: session.ciphertext.count)
    }
    return true
  }

  /// What goes behind the connection's bytes in the same packet: a ticket, and the end. A connection that ends gets a
  /// ticket too: proxies that make one for each request resume.
  private func writeBehind(_ connection: Connection) {
    if session.ciphertext.count > 0 { session.writeHeldTicket() }
    if connection.transfer.isCloseOrdered { session.close() }
  }

  /// Sends as much ciphertext as the kernel takes at once.
  func send(to descriptor: Descriptor) -> Descriptor.Sent {
    let outcome = descriptor.send(session.ciphertext)
    if case .wrote(let count) = outcome { session.removeCiphertext(count) }
    return outcome
  }

  /// The facts of a client's connection about its TLS.
  func clientSecurity() -> ClientSecurity {
    let facts = session.facts()
    return ClientSecurity(
      version: facts.version, cipher: facts.cipher, isResumed: facts.isResumed,
      applicationProtocol: facts.applicationProtocol.flatMap(ApplicationProtocol.init),
      certificate: session.clientCertificate().map {
        ClientCertificateFacts(
          subject: $0.subject, alternativeNames: $0.alternativeNames, thumbprint: $0.thumbprintBase64URL)
      })
  }
}

/// The contexts of one configuration, prepared by the control plane. Immutable. Handed to each loop.
package struct TLSContexts: Sendable {
  package var listeners: [ListenerKey: ServerContext]
  package var servers: [ServerGroup: ClientContext]

  package init(listeners: [ListenerKey: ServerContext] = [:], servers: [ServerGroup: ClientContext] = [:]) {
    self.listeners = listeners
    self.servers = servers
  }
}
