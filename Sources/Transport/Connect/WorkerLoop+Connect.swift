// Connections to upstream servers, opened on the worker's own loop.

import Configuration
import Proxy
import TLS

extension WorkerLoop {
  func connect(_ connection: UpstreamConnection, to address: Address) {
    // Closed at the same moment, as by a client that resets what it has just requested (T54): not worth a socket.
    if connection.isClosed { return worker.disconnected(connection, at: now()) }
    var secure: SecureLayer?
    if connection.configuration.tls != nil {
      do {
        secure = try secureLayer(for: connection)
      } catch {
        reportUpstreamHandshake(connection, "\(error)")
        return noteFailed(connection)
      }
    }
    // No name comes here: the control plane has resolved them.
    guard let target = SocketAddress(address) else { return noteFailed(connection) }
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

  /// TLS towards the server, where the upstream has it.
  private func secureLayer(for connection: UpstreamConnection) throws -> SecureLayer {
    let upstream = connection.configuration
    // Never in plain text instead.
    guard let context = contexts.upstreams[upstream.name] else { throw MissingContext() }
    let key = "\(upstream.name) \(connection.address)"
    return try SecureLayer(
      client: context, host: upstream.tls?.serverName ?? connection.host, resuming: resumptions[key],
      resumptionKey: key,
      requiredProtocol: upstream.protocol == .http2 ? .http2 : nil)
  }
}

/// The control plane made no context for the upstream.
private struct MissingContext: Error {}
