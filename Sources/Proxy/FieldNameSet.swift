// A set of field names that finds every spelling of them: in any case, and with anything else in the place of `-`.
// CGI-like upstreams cannot distinguish those (T33, T76).

import Bytes
import HTTPWire

/// An immutable set of names and prefixes. A class, so that a look-up takes no reference to what is in it.
final class FieldNameSet: Sendable {
  private struct Entry: Sendable {
    var hash: UInt32
    /// Where in ``texts`` the name is. Empty in free places.
    private let start: UInt32
    private let end: UInt32
    var range: Range<Int> { Int(start)..<Int(end) }

    init(hash: UInt32, _ range: Range<Int>) {
      self.hash = hash
      start = UInt32(truncatingIfNeeded: range.lowerBound)
      end = UInt32(truncatingIfNeeded: range.upperBound)
    }
  }

  private let texts: [UInt8]
  /// Open addressing over a power of two.
  private let table: [Entry]
  private let mask: Int
  /// Where in ``texts`` the prefixes are.
  private let prefixes: [Range<Int>]
  /// One bit a hash: says no to almost every field that is not in the set.
  private let bloom: UInt64
  /// One bit for the last five bits of each prefix's first byte, which are the same in either case.
  private let prefixStarts: UInt32

  static let empty = FieldNameSet([])

  /// Names that end in `*` are prefixes.
  init(_ names: [String]) {
    let whole = Set(names.filter { !$0.hasSuffix("*") }.map { $0.lowercased() })
    let begun = Set(names.filter { $0.hasSuffix("*") }.map { $0.dropLast().lowercased() }).sorted()
    var capacity = 4
    while capacity < whole.count * 2 { capacity *= 2 }
    var texts: [UInt8] = []
    func add(_ text: String) -> Range<Int> {
      let start = texts.count
      texts += Array(text.utf8)
      return start..<texts.count
    }
    var table = Array(repeating: Entry(hash: 0, 0..<0), count: capacity)
    var bloom: UInt64 = 0
    for name in whole where !name.isEmpty {
      let range = add(name)
      let hash = foldedHash(of: texts.span.extracting(range))
      var place = Int(hash) & (capacity - 1)
      while !table[place].range.isEmpty { place = (place + 1) & (capacity - 1) }
      table[place] = Entry(hash: hash, range)
      bloom |= Self.bit(hash)
    }
    prefixes = begun.map(add)
    prefixStarts = begun.reduce(0) { $0 | Self.starts(of: Array($1.utf8)) }
    self.texts = texts
    self.table = table
    self.bloom = bloom
    mask = capacity - 1
  }

  var isEmpty: Bool { bloom == 0 && prefixStarts == 0 }

  /// Whether a field's name, with its hash from the head's index, is in the set.
  @inline(__always)
  func contains(_ name: Span<UInt8>, hash: UInt32) -> Bool {
    if bloom & Self.bit(hash) == 0, name.isEmpty || prefixStarts & Self.bit(name[0]) == 0 { return false }
    return isFound(name, hash)
  }

  private func isFound(_ name: Span<UInt8>, _ hash: UInt32) -> Bool {
    if bloom & Self.bit(hash) != 0 {
      var place = Int(hash) & mask
      while !table[place].range.isEmpty {
        if table[place].hash == hash, Self.isEqual(name, texts, table[place].range) { return true }
        place = (place + 1) & mask
      }
    }
    for index in prefixes.indices {
      let prefix = prefixes[index]
      if name.count >= prefix.count, Self.isEqual(name.extracting(0..<prefix.count), texts, prefix) { return true }
    }
    return false
  }

  private static func isEqual(_ name: Span<UInt8>, _ texts: [UInt8], _ range: Range<Int>) -> Bool {
    foldedEquals(name, texts.span.extracting(range))
  }

  @inline(__always)
  private static func bit(_ hash: UInt32) -> UInt64 { 1 << UInt64(hash >> 26) }

  @inline(__always)
  private static func bit(_ first: UInt8) -> UInt32 { 1 << UInt32(first & 31) }

  /// With what the names that have a prefix may begin.
  private static func starts(of prefix: [UInt8]) -> UInt32 {
    guard let first = prefix.first, foldedByte(first) != 0x2D else { return .max }
    return bit(first)
  }
}

/// The sets of a configuration. Routes with the same names share one.
struct FieldNameSets {
  private var known: [[String]: FieldNameSet] = [:]

  mutating func of(_ names: [String]) -> FieldNameSet {
    if names.isEmpty { return .empty }
    if let set = known[names] { return set }
    let set = FieldNameSet(names)
    known[names] = set
    return set
  }
}
