// Finds two members of one name in an object (T12), names compared as they read once unescaped.
//
// Invariant: the time grows with n log n however the names are chosen, so that a token full of members costs no more than
// its bytes: small objects are compared pair by pair, larger ones sorted by a hash under a key of this process.

import Bytes

enum JSONNames {
  /// Keys of the hash: random once a process, or a stranger could choose names that collide.
  private static let key0 = UInt64.random(in: .min ... .max)
  private static let key1 = UInt64.random(in: .min ... .max)

  /// The node of the second of two equal names, or nil.
  static func duplicate(in object: Int, memberCount: Int, nodes: [JSONNode], text: Span<UInt8>) -> Int? {
    if memberCount < 2 { return nil }
    let end = Int(nodes[object].next)
    if memberCount <= 12 {
      var index = Int(nodes[object + 2].next)
      while index < end {
        var earlier = object + 1
        while earlier < index {
          if areEqual(nodes[earlier], nodes[index], text) { return index }
          earlier = Int(nodes[earlier + 1].next)
        }
        index = Int(nodes[index + 1].next)
      }
      return nil
    }
    var names: [(hash: UInt64, node: Int)] = []
    names.reserveCapacity(memberCount)
    var index = object + 1
    while index < end {
      names.append((hash(nodes[index], text), index))
      index = Int(nodes[index + 1].next)
    }
    names.sort { $0.hash != $1.hash ? $0.hash < $1.hash : $0.node < $1.node }
    for place in 1..<names.count where names[place - 1].hash == names[place].hash {
      // Names that merely collide are as good as never next to each other; should they be, the look goes on.
      var earlier = place - 1
      while earlier >= 0, names[earlier].hash == names[place].hash {
        if areEqual(nodes[names[earlier].node], nodes[names[place].node], text) { return names[place].node }
        earlier -= 1
      }
    }
    return nil
  }

  private static func content(_ node: JSONNode) -> Range<Int> { Int(node.start) + 1..<Int(node.end) - 1 }

  @inline(__always)
  private static func areEqual(_ a: JSONNode, _ b: JSONNode, _ text: Span<UInt8>) -> Bool {
    let isPlain = !a.hasEscapes && !b.hasEscapes
    // Nearly all differ here.
    if isPlain, a.end &- a.start != b.end &- b.start || text[Int(a.end) - 2] != text[Int(b.end) - 2] { return false }
    let first = text.extracting(content(a))
    let second = text.extracting(content(b))
    if isPlain { return first.equals(second) }
    return JSONEscapes.unescaped(first).span.equals(JSONEscapes.unescaped(second).span)
  }

  private static func hash(_ node: JSONNode, _ text: Span<UInt8>) -> UInt64 {
    let name = text.extracting(content(node))
    return node.hasEscapes
      ? JSONEscapes.unescaped(name).span.keyedHash(key0, key1) : name.keyedHash(key0, key1)
  }
}
