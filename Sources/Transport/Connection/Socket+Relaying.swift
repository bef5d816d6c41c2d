// Long bodies go from socket to socket within the kernel, where nobody has to look at them: no TLS, no HTTP/2, no
// chunks. It is decided again for each piece, and what the other socket does not take at once goes on as if it had been
// received.

import Bytes
import Proxy

extension Socket {
  /// Passes the next piece of a body on, where that can be.
  /// - Returns: how many receives that was worth, 0 when nothing is there for now. Nil when it has to be received.
  func relayInput() -> Int? {
    guard let connection, connection.transfer.isRelaySource, secure == nil, let relay = connection.relay(),
      let target = loop.socket(of: relay.target), target.state.takesRelayed, let pipe = loop.relayPipe
    else { return nil }
    let wanted = min(relay.byteCountMax, relayByteCount, pipe.byteCountMax)
    switch pipe.fill(from: descriptor, max: wanted) {
    case .bytes(let count):
      let sent = pipe.send(count, to: target.descriptor)
      relay.target.transfer.relayed(sent)
      if sent > 0 { loop.worker.relayed(sent, on: connection, at: loop.now()) }
      if sent < count {
        relayByteCount = max(relayByteCount / 2, BodyBlock.contentByteCount)
        receiveRest(count - sent, in: pipe)
      } else if count == wanted {
        relayByteCount = min(relayByteCount * 2, pipe.byteCountMax)
      }
      return 1 + count / BodyBlock.contentByteCount
    case .wouldBlock:
      state.inputEmptied()
      return 0
    case .end:
      return nil
    case .failed:
      // Not every kind of socket can do it. If something else was wrong, the receive that follows says so.
      connection.transfer.relayFailed()
      return nil
    }
  }

  private func receiveRest(_ byteCount: Int, in pipe: Pipe) {
    var left = byteCount
    while left > 0 {
      loop.prepareInbox()
      let count = pipe.receive(into: &loop.inbox, max: min(left, BodyBlock.contentByteCount))
      if count == 0 {
        // Nobody knows what it holds now.
        loop.relayPipe = Pipe()
        return abort()
      }
      left -= count
      received(&loop.inbox)
      loop.inbox.removeAll()
    }
    loop.runCommands()
  }
}
