// Targets in their normal form: what is matched and forwarded, whatever reads it behind the gateway.

import Bytes
import HTTPWire

@_cdecl("fuzz_targets")
func libFuzzTargets(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzTargets)
}

func fuzzTargets(_ input: [UInt8]) throws {
  var target = NormalTarget()
  if target.normalize(input.span) != nil { return }
  let bytes = target.bytes.copied()
  var again = NormalTarget()
  let error = again.normalize(bytes.span)
  try expect(error == nil, "the normal form is refused: \(error?.rawValue ?? "")")
  try expect(again.bytes.copied() == bytes, "the normal form has another normal form")
  try expect(again.segments == target.segments, "its segments are others when read again")
  try expect(!again.isAltered, "the normal form has dot segments or empty ones")
  let path = Array(bytes[..<target.pathCount])
  let raw = Array(input.prefix { $0 != 0x3F })
  // What is sent on is what was asked for, to a server that decodes.
  if !target.isAltered, !raw.isEmpty { try expect(decoded(path) == decoded(raw), "another path, in silence") }
  if target.hasEncodedDelimiter {
    try expect(decoded(target.plainPath.copied()) == decoded(path), "the path that rules see is another")
    try expect(target.plainSegments.count == target.segments.count, "rules see other segments")
  }
  try expect(path.first == 0x2F, "a path without a slash in front")
  for byte in path { try expect(byte > 0x20 && byte < 0x7F && byte != 0x5C, "a byte that no path may hold") }
  for byte in bytes[target.pathCount...] {
    try expect(byte > 0x20 && byte < 0x7F && byte != 0x23, "a byte that no query may hold")
  }
  let hasSlashes = !target.oddities.isDisjoint(with: [.encodedSlash, .twiceEncodedSlash])
  try checkStructure(hasSlashes ? withBareSlashes(path) : path)
  for segment in target.segments {
    try expect(segment.upperBound <= target.pathCount && !segment.isEmpty, "a segment out of the path")
    try expect(bytes[segment.lowerBound - 1] == 0x2F, "a segment that begins within another")
    try expect(!bytes[segment].contains(0x2F) && !bytes[segment].contains(0x3B), "a segment that is two")
  }
  if let query = target.query {
    try expect(bytes[target.pathCount] == 0x3F && query == target.pathCount + 1..<bytes.count, "the query's place")
  } else {
    try expect(bytes.count == target.pathCount, "something behind the path")
  }
}

/// As a server sees the path that decodes nothing but slashes, once or twice.
private func withBareSlashes(_ path: [UInt8]) -> [UInt8] {
  var text = String(decoding: path, as: UTF8.self)
  for slash in ["%2F", "%5C", "%252F", "%252f", "%255C", "%255c"] {
    text = text.split(separator: slash, omittingEmptySubsequences: false).joined(separator: "/")
  }
  return Array(text.utf8)
}

/// A server that decodes once sees the segments that were matched, and one that decodes twice sees no more of them.
private func checkStructure(_ path: [UInt8]) throws {
  let once = decoded(path)
  let twice = decoded(once)
  let slashes = path.count { $0 == 0x2F }
  try expect(String(validating: once, as: UTF8.self) != nil, "decoded it is not UTF-8")
  for (text, how) in [(path, "as it is"), (once, "decoded"), (twice, "decoded twice")] {
    try expect(text.count { $0 == 0x2F } == slashes, "\(how) it has more segments")
    try expect(!text.contains(0x5C), "\(how) it has a backslash")
    try expect(!text.contains { $0 < 0x20 || $0 == 0x7F }, "\(how) it has a control character")
    for segment in text.split(separator: 0x2F) {
      let name = segment.prefix { $0 != 0x3B }
      try expect(name != [0x2E] && name != [0x2E, 0x2E], "\(how) it has a dot segment")
    }
  }
}

/// With each %XX as the byte that it encodes.
func decoded(_ text: [UInt8]) -> [UInt8] {
  var result: [UInt8] = []
  var index = 0
  while index < text.count {
    if text[index] == 0x25, index + 2 < text.count,
      let byte = UInt8(String(decoding: text[(index + 1)...(index + 2)], as: UTF8.self), radix: 16),
      text[index + 1] != 0x2B, text[index + 1] != 0x2D
    {
      result.append(byte)
      index += 3
    } else {
      result.append(text[index])
      index += 1
    }
  }
  return result
}
