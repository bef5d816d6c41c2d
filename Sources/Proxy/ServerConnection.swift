// A connection that the gateway opens: to a server of an upstream, or to a store. It says where it leads and how, which
// is all that the transport needs to know of it.

package import Configuration

/// What servers belong to: one section of the file, with one TLS context for all of them.
package enum ServerGroup: Sendable, Hashable {
  case upstream(String)
  /// One of `redis`.
  case store(String)

  /// As the file has it.
  package var name: String {
    switch self {
    case .upstream(let name), .store(let name): name
    }
  }
}

/// How TLS is spoken to a server.
package struct ServerSecurity {
  /// Whose certificate is expected, and what is asked for (SNI).
  package var serverName: String
  /// What the server must agree to.
  package var requiredProtocol: ApplicationProtocol?
}

/// The base of connections to servers, whatever is spoken there.
package class ServerConnection: Connection {
  package final let group: ServerGroup

  init(worker: Worker, group: ServerGroup) {
    self.group = group
    super.init(worker: worker)
  }

  /// Where it leads.
  package var address: Address { Address(host: "", port: 0) }
  /// Nil without TLS.
  package var security: ServerSecurity? { nil }

  /// The socket is open.
  func connected() {}

  /// The socket could not be opened, or not in time.
  func connectFailed(_ refusal: GatewayRefusal) {}
}
