// What an error of Redis means for the one who asked. The first word is its code, and the rest is for people.

import Bytes

/// The kinds of errors after which something else is done than to report them.
package enum ReplyError: Equatable, Sendable {
  /// The script has to be sent whole.
  case scriptMissing
  /// The slot belongs to this node, from now on.
  case moved(Redirection)
  /// The slot is about to move: this node is to be asked for this once, after `ASKING`.
  case ask(Redirection)
  /// A replica was asked, or what was a master is one no more.
  case readOnly
  /// The node is there and cannot serve now: it loads its data, lost its master, or its cluster is not whole.
  case unready
  /// Writes are refused because the memory is full.
  case outOfMemory
  /// The name, the password or the rights of the user are not right.
  case forbidden
  /// The server does not know the command, as Redis 5 does not know `HELLO`.
  case unknownCommand
  case other

  package init(_ text: Span<UInt8>) {
    let codeEnd = text.firstIndex(of: UInt8(ascii: " ")) ?? text.count
    let rest = text.extracting(min(codeEnd + 1, text.count)..<text.count)
    self =
      switch text.extracting(0..<codeEnd).text() {
      case "MOVED": Redirection(rest).map { .moved($0) } ?? .other
      case "ASK": Redirection(rest).map { .ask($0) } ?? .other
      case "NOSCRIPT": .scriptMissing
      case "READONLY": .readOnly
      case "OOM": .outOfMemory
      case "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS": .unready
      case "NOAUTH", "WRONGPASS", "NOPERM": .forbidden
      case "ERR" where rest.text().hasPrefix("unknown command"): .unknownCommand
      default: .other
      }
  }
}

/// Which node of a cluster has a slot: `3999 10.0.0.5:6381` behind the word MOVED or ASK.
package struct Redirection: Equatable, Sendable {
  package var slot: Int
  package var node: NodeAddress

  /// - Returns: nil where the text is something else.
  init?(_ text: Span<UInt8>) {
    guard let space = text.firstIndex(of: UInt8(ascii: " ")),
      let slot = text.extracting(0..<space).decimalInteger, slot >= 0, slot < Int64(KeySlot.count)
    else { return nil }
    let place = text.extracting(space + 1..<text.count)
    // Addresses of IPv6 have colons too, and no brackets.
    guard let colon = place.lastIndex(of: UInt8(ascii: ":")),
      let node = NodeAddress(
        host: place.extracting(0..<colon), port: place.extracting(colon + 1..<place.count).decimalInteger)
    else { return nil }
    self.slot = Int(slot)
    self.node = node
  }
}
