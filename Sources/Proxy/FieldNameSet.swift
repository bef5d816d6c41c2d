// A set of field names that finds every spelling of them: in any case, and with `_` or `.` in the place of `-`, because
// CGI-like upstreams cannot tell those apart (T33).

import Bytes
import HTTPWire

/// An immutable set of names and prefixes with one look-up a field and no allocation.
struct FieldNameSet: Sendable {
  private struct Entry: Sendable {
    var hash: UInt32
    var name: [UInt8]
  }

  /// Open addressing over a power of two; empty names mark free places.
  private var table: [Entry] = []
  private var mask = 0
  /// One bit a hash: says no to almost every field that is not in the set.
  private var bloom: UInt64 = 0
  private var prefixes: [[UInt8]] = []

  /// Names that end in `*` are prefixes.
  init(_ names: [String]) {
    let whole = Set(names.filter { !$0.hasSuffix("*") }.map { $0.lowercased() })
    prefixes = Set(names.filter { $0.hasSuffix("*") }.map { $0.dropLast().lowercased() }).sorted().map {
      Array($0.utf8)
    }
    var capacity = 4
    while capacity < whole.count * 2 { capacity *= 2 }
    table = Array(repeating: Entry(hash: 0, name: []), count: capacity)
    mask = capacity - 1
    for name in whole where !name.isEmpty {
      let bytes = Array(name.utf8)
      let hash = foldedHash(of: bytes.span)
      var place = Int(hash) & mask
      while !table[place].name.isEmpty { place = (place + 1) & mask }
      table[place] = Entry(hash: hash, name: bytes)
      bloom |= 1 << UInt64(hash >> 26)
    }
  }

  var isEmpty: Bool { bloom == 0 && prefixes.isEmpty }

  /// Whether a field's name, with its hash from the head's index, is in the set.
  func contains(_ name: Span<UInt8>, hash: UInt32) -> Bool {
    if bloom & (1 << UInt64(hash >> 26)) != 0 {
      var place = Int(hash) & mask
      while !table[place].name.isEmpty {
        if table[place].hash == hash, isEqual(name, table[place].name) { return true }
        place = (place + 1) & mask
      }
    }
    for index in prefixes.indices {
      let count = prefixes[index].count
      if name.count >= count, isEqual(name.extracting(0..<count), prefixes[index]) { return true }
    }
    return false
  }

  private func isEqual(_ name: Span<UInt8>, _ other: [UInt8]) -> Bool { foldedEquals(name, other.span) }
}
