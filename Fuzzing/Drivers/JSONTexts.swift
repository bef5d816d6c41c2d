// JSON texts: what is read is what a plain walk sees, no name appears twice, and written out again it is the same.

import Bytes
import JSON

private let limits = JSONLimits(depthMax: 8, nodeCountMax: 400)

@_cdecl("fuzz_json")
func libFuzzJSON(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 { unsafe libFuzzer(bytes, count, fuzzJSON) }

func fuzzJSON(_ input: [UInt8]) throws {
  let document: JSONDocument
  do {
    document = try JSONDocument(input, limits: limits)
  } catch {
    if case .syntax(let offset) = error { try expect(offset <= input.count, "a fault behind the end") }
    return
  }
  try expect(document.nodeCount <= limits.nodeCountMax, "\(document.nodeCount) nodes")
  let walk = JSONWalk(document)
  try walk.visit(document.root, depth: 0)
  try expect(walk.count == document.nodeCount, "nodes that nobody reaches")
  let outside = document.rawRange(of: document.root)
  for index in input.indices where !outside.contains(index) {
    try expect([0x20, 0x09, 0x0A, 0x0D].contains(input[index]), "something beside the value")
  }
  let written = walk.output.copied()
  let again = try unwrap(try? JSONDocument(written, limits: limits), "what was written is no JSON")
  let second = JSONWalk(again)
  try second.visit(again.root, depth: 0)
  try expect(second.output.copied() == written, "written out twice it is not the same")
}

/// Visits all nodes and writes them out.
final class JSONWalk {
  private let document: JSONDocument
  private(set) var output = ByteQueue()
  private(set) var count = 0

  init(_ document: JSONDocument) { self.document = document }

  func visit(_ node: JSONDocument.Index, depth: Int) throws {
    count += 1
    try expect(depth <= 16, "deeper than the limit")
    let range = document.rawRange(of: node)
    try expect(!range.isEmpty && range.upperBound <= document.bytes.count, "a value out of the text")
    let raw = document.bytes[range]
    switch document.kind(node) {
    case .object: try visitMembers(of: node, range, depth)
    case .array:
      output.append("[")
      var isFirst = true
      for element in document.elements(of: node) {
        if !isFirst { output.append(",") }
        isFirst = false
        try expect(range.contains(document.rawRange(of: element).lowerBound), "an element out of its list")
        try visit(element, depth: depth + 1)
      }
      output.append("]")
    case .string:
      let text = try string(node)
      JSONWriter.append(string: text.span, to: &output)
    case .integer:
      let value = try unwrap(document.integer(at: node), "an integer without a value")
      try expect("\(value)".utf8.elementsEqual(raw) || raw.elementsEqual("-0".utf8), "an integer that is another")
      output.append(Array(raw))
    case .number:
      let text = String(decoding: raw, as: UTF8.self)
      try expect(Double(text) != nil, "\(text) is no number")
      output.append(Array(raw))
    case .true, .false, .null:
      try expect(["true", "false", "null"].contains(String(decoding: raw, as: UTF8.self)), "no such word")
      output.append(Array(raw))
    }
  }

  private func visitMembers(of node: JSONDocument.Index, _ range: Range<Int>, _ depth: Int) throws {
    output.append("{")
    var names: Set<[UInt8]> = []
    for (name, value) in document.members(of: node) {
      if !names.isEmpty { output.append(",") }
      count += 1
      let text = try string(name)
      try expect(names.insert(text).inserted, "a name stands twice")
      try expect(document.member(text, of: node) == value, "a member that is not found by its name")
      try expect(range.contains(document.rawRange(of: value).lowerBound), "a member out of its object")
      JSONWriter.append(string: text.span, to: &output)
      output.append(":")
      try visit(value, depth: depth + 1)
    }
    output.append("}")
  }

  private func string(_ node: JSONDocument.Index) throws -> [UInt8] {
    let bytes = try unwrap(document.stringBytes(at: node), "a string without bytes")
    try expect(String(validating: bytes, as: UTF8.self) != nil, "a string that is not UTF-8")
    try expect(document.stringEquals(node, bytes.span), "a string that is not itself")
    if let plain = document.plainStringRange(at: node) {
      try expect(document.bytes[plain].elementsEqual(bytes), "a plain string that is not plain")
    }
    return bytes
  }
}
