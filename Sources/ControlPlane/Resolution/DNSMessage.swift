// Messages of DNS (RFC 1035 §4): one question for the addresses of a name, and what an answer says to it. Anybody may
// have sent the answer. So no length is believed, and names are followed backwards only, which bounds the time for
// every answer.

import Bytes
import Proxy

/// A host's name as labels, in lower case.
package struct DNSName: Hashable {
  /// As on the wire, without compression.
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Nil for what is too long to be asked for.
  package init?(_ text: String) {
    var bytes: [UInt8] = []
    for label in text.utf8.split(separator: UInt8(ascii: ".")) {
      guard label.count <= 63 else { return nil }
      bytes.append(UInt8(label.count))
      bytes += label.map(Self.folded)
    }
    bytes.append(0)
    // RFC 1035 §2.3.4.
    guard bytes.count > 1, bytes.count <= 255 else { return nil }
    self.bytes = bytes
  }

  static func folded(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

/// What is asked for.
package enum AddressFamily: UInt16, CaseIterable {
  /// A (RFC 1035 §3.4.1) and AAAA (RFC 3596).
  case ipv4 = 1
  case ipv6 = 28
}

package struct DNSQuestion {
  let id: UInt16
  let name: DNSName
  let family: AddressFamily

  package init(id: UInt16, name: DNSName, family: AddressFamily) {
    self.id = id
    self.name = name
    self.family = family
  }

  /// The query, recursion desired, without EDNS: what does not fit into 512 bytes is asked for over TCP.
  var query: [UInt8] {
    Self.wire(id) + [1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name.bytes + Self.wire(family.rawValue) + [0, 1]
  }

  private static func wire(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)] }
}

package enum DNSReply: Equatable {
  /// Each once, in ascending order, and for how many seconds they hold.
  case addresses([String], seconds: UInt32)
  /// The name does not exist, or has no address of the family.
  case none
  /// The whole is available over TCP.
  case truncated
  /// The server cannot or will not say.
  case failed
}

/// Reads one answer.
package struct DNSReader {
  private struct Record {
    var owner: DNSName
    var type: UInt16
    var seconds: UInt32
    var data: Range<Int>
  }

  private let bytes: [UInt8]
  private var offset = 12

  // LIMIT: records of an answer that are looked at, pointers that make a name, of which each leads to a label at least
  // (RFC 1035 §2.3.4), aliases that are followed, and addresses that are taken.
  private static let recordCountMax = 512
  private static let pointerCountMax = 127
  private static let aliasCountMax = 16
  private static let addressCountMax = 256
  private static let alias: UInt16 = 5

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Nil for a message that does not answer the question: somebody else's, or forged.
  package static func read(_ bytes: [UInt8], to question: DNSQuestion) -> DNSReply? {
    var reader = DNSReader(bytes)
    guard bytes.count >= 12, reader.number(at: 0) == question.id, bytes[2] & 0xF8 == 0x80, reader.number(at: 4) == 1,
      let name = reader.name(), name == question.name, reader.number() == question.family.rawValue,
      reader.number() == 1
    else { return nil }
    if bytes[2] & 2 != 0 { return .truncated }
    switch bytes[3] & 0x0F {
    case 0: break
    case 3: return DNSReply.none
    default: return .failed
    }
    guard let records = reader.records(reader.number(at: 6) ?? 0) else { return .failed }
    return reader.reply(to: question, records)
  }

  private mutating func records(_ count: UInt16) -> [Record]? {
    var records: [Record] = []
    for _ in 0..<min(Int(count), Self.recordCountMax) {
      guard let owner = name(), let type = number(), let kind = number(), let high = number(), let low = number(),
        let length = number(), offset + Int(length) <= bytes.count
      else { return nil }
      let seconds = UInt32(high) << 16 | UInt32(low)
      let data = offset..<(offset + Int(length))
      offset = data.upperBound
      // RFC 2181 §8: with the highest bit set it is 0.
      if kind == 1 {
        records.append(Record(owner: owner, type: type, seconds: high > 0x7FFF ? 0 : seconds, data: data))
      }
    }
    return records
  }

  /// From the name asked for along its aliases to the addresses.
  private func reply(to question: DNSQuestion, _ records: [Record]) -> DNSReply {
    var name = question.name
    var seconds = UInt32.max
    let owned = Dictionary(grouping: records, by: \.owner)
    for _ in 0...Self.aliasCountMax {
      let records = owned[name] ?? []
      let found = records.filter { $0.type == question.family.rawValue }
      if !found.isEmpty {
        let addresses = Set(found.compactMap { address($0.data, question.family) })
          .sorted { ($0.high, $0.low) < ($1.high, $1.low) }.prefix(Self.addressCountMax)
        if addresses.isEmpty { return .none }
        return .addresses(addresses.map(\.address.text), seconds: found.reduce(seconds) { min($0, $1.seconds) })
      }
      guard let next = records.first(where: { $0.type == Self.alias }) else { return .none }
      seconds = min(seconds, next.seconds)
      var reader = self
      reader.offset = next.data.lowerBound
      guard let target = reader.name(), reader.offset == next.data.upperBound else { return .failed }
      name = target
    }
    return .failed
  }

  private struct Found: Hashable {
    var high: UInt64
    var low: UInt64
    var address: PeerAddress { PeerAddress(high: high, low: low) }
  }

  /// Nil for what nobody can be reached at: `0.0.0.0` and `::`, with which blockers answer, and groups.
  private func address(_ data: Range<Int>, _ family: AddressFamily) -> Found? {
    let bytes = bytes[data]
    switch family {
    case .ipv4:
      guard bytes.count == 4, let first = bytes.first, first != 0, first < 224 else { return nil }
      return Found(high: 0, low: bytes.reduce(0xFFFF) { $0 << 8 | UInt64($1) })
    case .ipv6:
      guard bytes.count == 16 else { return nil }
      let high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
      let low = bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
      return high == 0 && low == 0 || high >> 56 == 0xFF ? nil : Found(high: high, low: low)
    }
  }

  // MARK: Parts

  private func number(at position: Int) -> UInt16? {
    guard position >= 0, position + 2 <= bytes.count else { return nil }
    return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
  }

  private mutating func number() -> UInt16? {
    guard let number = number(at: offset) else { return nil }
    offset += 2
    return number
  }

  /// A name, compressed or not (RFC 1035 §4.1.4). A pointer leads to what is before all that was read of the name, so
  /// that it comes to an end.
  private mutating func name() -> DNSName? {
    var result: [UInt8] = []
    var position = offset
    var first = offset
    var pointerCount = 0
    while position < bytes.count {
      let length = Int(bytes[position])
      switch length {
      case 0:
        result.append(0)
        if pointerCount == 0 { offset = position + 1 }
        return DNSName(bytes: result)
      case 1...63:
        guard position + 1 + length <= bytes.count, result.count + 1 + length < 255 else { return nil }
        result.append(UInt8(length))
        result += bytes[(position + 1)...(position + length)].map(DNSName.folded)
        position += 1 + length
      case 0xC0...:
        guard let pointer = number(at: position) else { return nil }
        let target = Int(pointer & 0x3FFF)
        guard target < first, pointerCount < Self.pointerCountMax else { return nil }
        if pointerCount == 0 { offset = position + 2 }
        pointerCount += 1
        first = target
        position = target
      default: return nil
      }
    }
    return nil
  }
}
