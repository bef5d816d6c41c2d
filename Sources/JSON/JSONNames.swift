// Finds two members of one name in an object (T12), names compared as they read once unescaped.
//
// Invariant: the time grows with the text however the names are chosen (T86): a few plain names are compared pair by
// pair. Where there are many, or one with an escape, each is read once, for a hash under a key of this process.

import Bytes

/// What one document needs for that. Its memory serves all objects of the text.
struct JSONNames {
  /// What was looked at so far: the bytes of names that were read, and pairs. For tests, which bound it.
  private(set) var work = 0
  private var unescaped: [UInt8] = []
  /// Open addressing: 0 is empty, else the upper half of a name's hash, and its node plus 1.
  private var table: [UInt64] = []
  private let key0 = Self.processKey0
  private let key1 = Self.processKey1

  /// Keys of the hash: random once a process, or a stranger could choose names that collide.
  private static let processKey0 = UInt64.random(in: .min ... .max)
  private static let processKey1 = UInt64.random(in: .min ... .max)

  /// The node of the second of two equal names, or nil.
  /// - Parameter hasEscapes: whether any of the object's names is written with one.
  mutating func duplicate(
    in object: Int, memberCount: Int, hasEscapes: Bool, nodes: [JSONNode], text: Span<UInt8>
  ) -> Int? {
    if memberCount < 2 { return nil }
    if hasEscapes || memberCount > 12 { return duplicateByHash(in: object, memberCount, nodes, text) }
    work &+= memberCount &* (memberCount &- 1) / 2
    let end = Int(nodes[object].next)
    var index = Int(nodes[object + 2].next)
    while index < end {
      var earlier = object + 1
      while earlier < index {
        if arePlainlyEqual(nodes[earlier], nodes[index], text) { return index }
        earlier = Int(nodes[earlier + 1].next)
      }
      index = Int(nodes[index + 1].next)
    }
    return nil
  }

  private mutating func duplicateByHash(
    in object: Int, _ memberCount: Int, _ nodes: [JSONNode], _ text: Span<UInt8>
  ) -> Int? {
    var capacity = 4
    while capacity < memberCount &* 2 { capacity &*= 2 }
    if table.count < capacity {
      table = Array(repeating: 0, count: capacity)
    } else {
      for slot in 0..<capacity { table[slot] = 0 }
    }
    let end = Int(nodes[object].next)
    var index = object + 1
    while index < end {
      let hash = hash(nodes[index], text)
      var slot = Int(truncatingIfNeeded: hash) & (capacity - 1)
      while table[slot] != 0 {
        // Names that merely collide are as good as never there. Should they be, the look goes on.
        if table[slot] >> 32 == hash >> 32,
          areEqual(nodes[Int(table[slot] & 0xFFFF_FFFF) - 1], nodes[index], text)
        {
          return index
        }
        slot = (slot + 1) & (capacity - 1)
      }
      table[slot] = hash & 0xFFFF_FFFF_0000_0000 | UInt64(index + 1)
      index = Int(nodes[index + 1].next)
    }
    return nil
  }

  private static func content(_ node: JSONNode) -> Range<Int> { Int(node.start) + 1..<Int(node.end) - 1 }

  @inline(__always)
  private func arePlainlyEqual(_ a: JSONNode, _ b: JSONNode, _ text: Span<UInt8>) -> Bool {
    // Nearly all differ here.
    if a.end &- a.start != b.end &- b.start || text[Int(a.end) - 2] != text[Int(b.end) - 2] { return false }
    return text.extracting(Self.content(a)).equals(text.extracting(Self.content(b)))
  }

  private mutating func areEqual(_ a: JSONNode, _ b: JSONNode, _ text: Span<UInt8>) -> Bool {
    if !a.hasEscapes, !b.hasEscapes { return arePlainlyEqual(a, b, text) }
    work &+= Int(a.end &- a.start) &+ Int(b.end &- b.start)
    unescape(a, text)
    return JSONEscapes.areEqual(text.extracting(Self.content(b)), unescaped.span)
  }

  private mutating func unescape(_ node: JSONNode, _ text: Span<UInt8>) {
    unescaped.removeAll(keepingCapacity: true)
    JSONEscapes.unescape(text.extracting(Self.content(node)), into: &unescaped)
  }

  private mutating func hash(_ node: JSONNode, _ text: Span<UInt8>) -> UInt64 {
    work &+= Int(node.end &- node.start)
    if !node.hasEscapes { return text.extracting(Self.content(node)).keyedHash(key0, key1) }
    unescape(node, text)
    return unescaped.span.keyedHash(key0, key1)
  }
}
