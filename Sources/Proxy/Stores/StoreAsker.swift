// Who asks a store, and what comes of it.

import Redis

/// Tells one command of a worker from all others.
struct StoreTicket: Hashable, Sendable {
  fileprivate(set) var number: UInt64 = 0

  mutating func next() -> StoreTicket {
    number &+= 1
    return self
  }
}

/// Why a command has no reply that could be used.
package enum StoreFailure: Int, Sendable, CaseIterable {
  /// Nobody was asked: the server is down, or too much is under way.
  case unavailable = 1
  /// No reply came in time.
  case late
  /// The connection went.
  case lost
  /// The server said that it cannot serve this now: it is a replica, loads its data, is full, or forbids it.
  case refused
}

/// Gets one of the two for each ticket that it was given, later, and never within the call that gave it.
protocol StoreAsker: AnyObject {
  /// The reply may be an error of the command itself.
  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply)
  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure)
}

/// A command that waits for its reply.
struct PendingCommand {
  let asker: any StoreAsker
  let ticket: StoreTicket
  /// In steady nanoseconds, when it was given, and until when somebody waits.
  let begin: Int64
  let end: Int64
  /// Whether it is one of those that requests have caused.
  let isCounted: Bool
  /// As it was written, where it may have to go to another server. Empty otherwise.
  var command: [UInt8] = []
  /// How many servers have sent it on.
  var hopCount = 0
  /// Whether the server is to report when what it answers has changed.
  var isTracked = false
}
