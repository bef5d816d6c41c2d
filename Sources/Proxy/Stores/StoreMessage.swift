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

/// Which server of a store a command is for.
package enum StorePlace: Sendable, Equatable {
  /// The one that has the key.
  case key([UInt8])
  /// One after the other, from 0 on, whichever keys it has. Behind the last one the reply is null.
  case server(Int)
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
  ///   - place: the server that is asked.
  ///   - changed: is called once, when the place's key has changed since, or may have.
  ///   - reply: is called once. Nil where the store does not answer.
  package func ask(
    _ store: String, _ parts: [[UInt8]], at place: StorePlace, _ time: Time, changed: (@Sendable () -> Void)? = nil,
    _ reply: @escaping @Sendable (StoreReply?) -> Void
  ) {
    self.time = time
    guard let store = stores.first(where: { $0.configuration.name == store }) else { return reply(nil) }
    var command = ByteQueue()
    command.beginCommand(partCount: parts.count)
    for part in parts { command.append(part: part.span) }
    let message = StoreMessage(reply)
    let ticket: StoreTicket?
    switch place {
    case .key(let key):
      if let changed { store.watch(key, changed) }
      ticket = store.ask(command.span, about: key.span, for: message, isTracked: changed != nil)
    case .server(let index):
      if index >= max(1, store.serverCount) { return reply(.null) }
      ticket = store.ask(command.span, ofServer: index, for: message)
    }
    if ticket == nil { reply(nil) }
  }
}
