// A connection on which Redis is spoken: bytes come in, whole replies go on. What is done with them is the subclasses'.

import Bytes
package import Configuration
import Redis

package class RedisConnection: ServerConnection {
  private let target: Address
  private let tls: UpstreamTLS?
  /// Whose certificate is expected, where `tls` does not say.
  private let host: String
  private var reader = ReplyReader()
  /// The beginning of a reply whose end has not come yet.
  private var begun = ByteQueue()

  init(worker: Worker, store: RedisStore, server: Upstream.Server) {
    target = server.address
    host = server.host
    tls = store.tls
    super.init(worker: worker, group: .store(store.name))
  }

  package final override var address: Address { target }

  package final override var security: ServerSecurity? {
    tls.map { ServerSecurity(serverName: $0.serverName ?? host, requiredProtocol: nil) }
  }

  override var storedByteCount: Int { begun.count }

  /// A whole reply, or a push.
  func received(_ reply: borrowing Reply) {}

  /// What comes is not Redis, or more than anybody asked for. Nothing else comes after it.
  func receivedNonsense() {}

  final override func received(_ bytes: Span<UInt8>) {
    if begun.isEmpty {
      let count = read(bytes)
      if count < bytes.count, !isClosed { begun.append(bytes.extracting(count...)) }
    } else {
      var all = ByteQueue()
      swap(&all, &begun)
      all.append(bytes)
      let count = read(all.span)
      if isClosed { return }
      all.removeFirst(count)
      swap(&all, &begun)
    }
    settleHeld()
  }

  /// - Returns: the bytes of whole replies.
  private func read(_ bytes: Span<UInt8>) -> Int {
    var start = 0
    while start < bytes.count, !isClosed {
      let rest = bytes.extracting(start...)
      switch reader.read(rest) {
      case .incomplete: return start
      case .complete(let byteCount):
        received(reader.reply(in: rest))
        reader.reset()
        start += byteCount
      case .malformed, .tooLarge:
        receivedNonsense()
        return bytes.count
      }
    }
    return start
  }

  /// The gateway's greeting: the newest protocol, the user, and the name that `CLIENT LIST` shows.
  final func greet(_ store: RedisStore) {
    prepareOutput()
    output.beginCommand(partCount: store.password == nil ? 4 : 7)
    output.append(part: "HELLO")
    output.append(part: "3")
    if let password = store.password {
      output.append(part: "AUTH")
      output.append(part: Array((store.username ?? "default").utf8).span)
      output.append(part: Array(password.utf8).span)
    }
    output.append(part: "SETNAME")
    output.append(part: "catraca")
  }

  /// The same for servers before Redis 6, which have no users.
  final func authenticate(_ store: RedisStore) {
    guard let password = store.password else { return }
    prepareOutput()
    output.beginCommand(partCount: store.username == nil ? 2 : 3)
    output.append(part: "AUTH")
    if let username = store.username { output.append(part: Array(username.utf8).span) }
    output.append(part: Array(password.utf8).span)
  }

  /// Changes of keys are to be reported, of those that are asked for behind `CLIENT CACHING YES`.
  final func track() {
    prepareOutput()
    output.beginCommand(partCount: 4)
    output.append(part: "CLIENT")
    output.append(part: "TRACKING")
    output.append(part: "ON")
    output.append(part: "OPTIN")
  }

  final func ping() {
    prepareOutput()
    output.beginCommand(partCount: 1)
    output.append(part: "PING")
  }
}
