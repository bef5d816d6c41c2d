// Connections to servers of upstreams and stores, opened on the worker's own loop.

import Proxy
import TLS

extension WorkerLoop {
  func connect(_ connection: ServerConnection) {
    // Closed at the same moment, as by a client that resets what it has just requested (T54): not worth a socket.
    if connection.isClosed { return worker.disconnected(connection, at: now()) }
    var secure: SecureLayer?
    if let security = connection.security {
      do {
        secure = try secureLayer(for: connection, security)
      } catch {
        reportHandshake(connection, "\(error)")
        return noteFailed(connection)
      }
    }
    // No name comes here: the control plane has resolved them.
    guard let target = SocketAddress(connection.address) else { return noteFailed(connection) }
    guard let slot = slotForServer() else { return noteFailed(connection, isOwnShortage: true) }
    do throws(SystemError) {
      let descriptor = try Descriptor.connecting(to: target)
      let socket = Socket(descriptor, loop: self, connection: connection, slot: slot, secure: secure)
      guard watch(socket, [.input, .inputEnd, .output, .edge]) else {
        descriptor.close()
        return noteFailed(connection, isOwnShortage: true)
      }
      attach(socket, to: connection)
    } catch {
      noteFailed(connection, isOwnShortage: error.isOwnShortage)
    }
  }

  /// TLS towards the server.
  private func secureLayer(for connection: ServerConnection, _ security: ServerSecurity) throws -> SecureLayer {
    // Never in plain text instead.
    guard let context = contexts.servers[connection.group] else { throw MissingContext() }
    let key = "\(connection.group) \(connection.address)"
    return try SecureLayer(
      client: context, host: security.serverName, resuming: resumptions[key], resumptionKey: key,
      requiredProtocol: security.requiredProtocol)
  }
}

/// The control plane made no context for the upstream or the store.
private struct MissingContext: Error {}
