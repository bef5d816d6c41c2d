// Where a node is, as Redis, its cluster and its sentinels name it.

import Bytes

package struct NodeAddress: Hashable, Sendable {
  /// An address or a name. Empty where the node that was asked is meant.
  package var host: String
  package var port: UInt16

  // LIMIT: bytes of a name in DNS.
  private static let hostByteCountMax = 253

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// - Returns: nil where it is no place that could be connected to.
  init?(host: Span<UInt8>, port: Int64?) {
    guard let port, let port = UInt16(exactly: port), port > 0, host.count <= Self.hostByteCountMax else { return nil }
    for index in host.indices {
      // Letters, digits, dots, hyphens and colons. A question mark stands for a name that nobody has set.
      switch host[index] {
      case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "%"):
        continue
      default: return nil
      }
    }
    self.init(host: host.text(), port: port)
  }

  /// What a sentinel answers to `SENTINEL get-master-addr-by-name`: a list of host and port.
  package init?(_ reply: borrowing Reply) { self.init(reply, at: reply.root) }

  /// The first two elements of a list.
  init?(_ reply: borrowing Reply, at list: Reply.Index) {
    guard reply.kind(list) == .list, let host = reply.first(in: list), let port = reply.next(after: host, in: list)
    else { return nil }
    let number = reply.integer(port) ?? (reply.kind(port) == .text ? reply.text(port).decimalInteger : nil)
    switch reply.kind(host) {
    case .text: self.init(host: reply.text(host), port: number)
    case .null: self.init(host: Span(), port: number)
    default: return nil
    }
  }
}
