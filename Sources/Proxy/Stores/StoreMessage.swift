// What the control plane asks a store: it has no connection of its own, and so goes through the worker's door.

import Bytes
import Configuration
import Redis

/// A reply that has left the worker.
package enum StoreReply: Sendable, Equatable {
  case null
  case integer(Int64)
  case bytes([UInt8])
  case list([StoreReply])
  case error(String)

  init(_ reply: borrowing Reply, at index: Reply.Index) {
    switch reply.kind(index) {
    case .null, .attribute: self = .null
    case .true: self = .integer(1)
    case .false: self = .integer(0)
    case .integer: self = reply.integer(index).map { .integer($0) } ?? .null
    case .text, .number: self = .bytes(reply.text(index).copied())
    case .error: self = .error(reply.text(index).text())
    case .list, .map, .push:
      var elements: [StoreReply] = []
      var element = reply.first(in: index)
      while let place = element {
        elements.append(StoreReply(reply, at: place))
        element = reply.next(after: place, in: index)
      }
      self = .list(elements)
    }
  }
}

private final class StoreMessage: StoreAsker {
  private let reply: @Sendable (StoreReply?) -> Void

  init(_ reply: @escaping @Sendable (StoreReply?) -> Void) { self.reply = reply }

  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) { self.reply(StoreReply(reply, at: reply.root)) }

  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) { reply(nil) }
}

extension Worker {
  /// - Parameters:
  ///   - parts: of the command.
  ///   - key: the one that the command is about.
  ///   - reply: is called once. Nil where the store does not answer.
  package func ask(
    _ store: String, _ parts: [[UInt8]], about key: [UInt8], at time: Time,
    _ reply: @escaping @Sendable (StoreReply?) -> Void
  ) {
    self.time = time
    guard let store = stores.first(where: { $0.configuration.name == store }) else { return reply(nil) }
    var command = ByteQueue()
    command.beginCommand(partCount: parts.count)
    for part in parts { command.append(part: part.span) }
    if store.ask(command.span, about: key.span, for: StoreMessage(reply)) == nil { reply(nil) }
  }
}
