// The grammar of RFC 8259, and everything that is near it.

import Bytes
import Testing

@testable import JSON

@Suite struct JSONReaderTests {
  private func error(_ text: String, _ limits: JSONLimits = JSONLimits()) -> JSONError? {
    error(Array(text.utf8), limits)
  }

  private func error(_ bytes: [UInt8], _ limits: JSONLimits = JSONLimits()) -> JSONError? {
    do throws(JSONError) {
      _ = try JSONDocument(bytes, limits: limits)
      return nil
    } catch {
      return error
    }
  }

  @Test("Every kind of value is read, with white space anywhere between")
  func values() throws {
    let text = " { \"a\" : [ 1 , -2.5e+3 , \"x\" , true , false , null , { } , [ ] ] ,\t\"b\"\r\n:\n{\"c\":0} } \n"
    let document = try JSONDocument(Array(text.utf8))
    let a = try #require(document.member("a", of: document.root))
    let kinds = document.elements(of: a).map { document.kind($0) }
    #expect(kinds == [.integer, .number, .string, .true, .false, .null, .object, .array])
    let names = document.members(of: document.root).map { document.string(at: $0.name) }
    #expect(names == ["a", "b"])
    let b = try #require(document.member("b", of: document.root))
    #expect(document.member("c", of: b).flatMap { document.integer(at: $0) } == 0)
    #expect(document.member("c", of: document.root) == nil)
    #expect(String(decoding: document.bytes[document.rawRange(of: b)], as: UTF8.self) == "{\"c\":0}")
    #expect(document.member("a", of: a) == nil)
    #expect(document.elements(of: b).map { $0 }.isEmpty)
    #expect(document.members(of: a).map { $0.name }.isEmpty)
  }

  @Test("Integers are exact up to the bounds of 64 bits. Other numbers stay text")
  func numbers() throws {
    func integer(_ text: String) throws -> Int64? { try JSONDocument(Array(text.utf8)).integer(at: 0) }
    #expect(try integer("9223372036854775807") == .max)
    #expect(try integer("-9223372036854775808") == .min)
    #expect(try integer("0") == 0)
    #expect(try integer("-0") == 0)
    for text in ["9223372036854775808", "-9223372036854775809", "1.0", "1e2", "1E-2", "0.5", "-0.0", "1e999", "0e0"] {
      let document = try JSONDocument(Array(text.utf8))
      #expect(document.kind(0) == .number && document.integer(at: 0) == nil, "\(text)")
      #expect(document.rawRange(of: 0) == 0..<text.utf8.count)
    }
    for text in ["01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "00", "-01", "NaN", "Infinity", "0x1", "1_0", "--1"]
    {
      #expect(error(text) != nil, "\(text)")
    }
  }

  @Test(
    "T12 What is no JSON text is refused",
    arguments: [
      "", " ", "{", "}", "[", "]", "{]", "[}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "[1,]", "[,1]", "[1 2]",
      "{a:1}",
      "{1:1}", "{'a':1}", "{\"a\":1 \"b\":2}", "\"", "\"a", "'a'", "tru", "truex", "True", "nul", "1 1", "{}{}", "[]x",
      "\u{FEFF}{}", "// x\n1", "/**/1", "\u{A0}1", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\", "\"\\u", "\"\n\"",
      "\"\u{0}\"",
      "\u{0}", "1\u{0}", "{\"a\":1}\u{0}", "\u{C}1",
    ])
  func grammar(text: String) {
    #expect(error(text) != nil)
  }

  /// What was looked at to distinguish an object's names. See ``JSONNames/work``.
  private func work(_ text: String) throws -> Int {
    let bytes = Array(text.utf8)
    var reader = JSONReader(bytes.span, limits: JSONLimits(nodeCountMax: .max))
    try reader.readText()
    return reader.names.work
  }

  @Test("T86: Names are distinguished in work that grows with the text, with escapes as without")
  func nameCost() throws {
    func name(_ number: Int, _ prefix: String, _ length: Int) -> String {
      prefix + String(repeating: "a", count: length) + String(number, radix: 36)
    }
    for prefix in ["", "\\n", "\\u0061", "\\ud83d\\ude00"] {
      for (memberCount, length) in [(2, 0), (3, 500), (11, 0), (12, 0), (12, 200), (13, 0), (40, 3), (2000, 0)] {
        let object =
          "{" + (0..<memberCount).map { "\"\(name($0, prefix, length))\":0" }.joined(separator: ",") + "}"
        func text(_ count: Int) -> String {
          "[" + Array(repeating: object, count: count).joined(separator: ",") + "]"
        }
        let one = try work(text(50))
        #expect(one <= 2 * text(50).utf8.count, "\(memberCount) names of \(prefix) and \(length)")
        #expect(try work(text(100)) <= 2 * one)
      }
      // One object that grows.
      func grown(_ count: Int) -> String {
        "{" + (0..<count).map { "\"\(name($0, prefix, 0))\":0" }.joined(separator: ",") + "}"
      }
      #expect(try work(grown(4000)) <= 2 * grown(4000).utf8.count)
    }
  }

  @Test("T12 Two members of one name are refused, however the name is written and however many there are")
  func duplicates() {
    #expect(error("{\"a\":1,\"a\":2}") == .duplicateMember(offset: 7))
    #expect(error("{\"a\":1,\"\\u0061\":2}") == .duplicateMember(offset: 7))
    #expect(error("{\"\":1,\"\":2}") != nil)
    #expect(error("{\"x\":{\"a\":1,\"b\":{\"a\":1},\"a\":2}}") != nil)
    #expect(error("[{\"\\ud83d\\ude00\":1,\"😀\":2}]") != nil)
    #expect(error("{\"a\":{\"a\":{\"a\":1}},\"A\":1}") == nil)
    for count in [2, 11, 12, 13, 14, 100, 1000] {
      let names = (0..<count).map { "\"n\($0)\":[\($0)]" }
      #expect(error("{\(names.joined(separator: ","))}") == nil, "\(count)")
      for twice in [0, count / 2, count - 1] {
        #expect(error("{\(names.joined(separator: ",")),\"n\(twice)\":0}") != nil, "\(count), \(twice)")
        #expect(error("{\"\\u006e\(twice)\":0,\(names.joined(separator: ","))}") != nil, "\(count), \(twice)")
      }
    }
  }

  @Test("T12 Strings are UTF-8 without surrogates")
  func unicode() throws {
    func quoted(_ bytes: [UInt8]) -> [UInt8] { [0x22] + bytes + [0x22] }
    let wrong: [[UInt8]] = [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
      [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
      [0xF5, 0x80, 0x80, 0x80],
      [0xFF], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xE2, 0x28, 0xA1],
    ]
    for bytes in wrong { #expect(error(quoted(bytes)) != nil, "\(bytes)") }
    for text in ["\\ud800", "\\udc00", "\\ud800\\u0041", "\\ud800x", "\\ud800\\ud800", "\\udc00\\ud800", "\\ud800\\n"] {
      #expect(error("\"\(text)\"") == .notUnicode(offset: 1), "\(text)")
    }
    for (text, expected) in [
      ("\\ud83d\\ude00", "😀"), ("\\uD83D\\uDE00", "😀"), ("é\\u00e9\\u20ac€", "éé€€"),
      ("\\b\\f\\n\\r\\t\\\"\\\\\\/", "\u{8}\u{C}\n\r\t\"\\/"),
      ("\\u0000", "\u{0}"), ("\u{7F}\u{10FFFF}\\udbff\\udfff", "\u{7F}\u{10FFFF}\u{10FFFF}"), ("\\\\u0041", "\\u0041"),
    ] {
      let document = try JSONDocument(Array("\"\(text)\"".utf8))
      #expect(document.string(at: 0) == expected)
      #expect(document.stringEquals(0, expected))
      #expect(!document.stringEquals(0, (expected + "x")))
    }
    // The reader and the standard library agree on every pair and on many longer runs.
    var generator = SystemRandomNumberGenerator()
    for first in UInt8(0x80)...0xFF {
      for second in UInt8.min...0xFF where second >= 0x20 && second != 0x22 && second != 0x5C {
        let bytes = [first, second, UInt8.random(in: 0x80...0xBF, using: &generator), 0x80]
        #expect((error(quoted(bytes)) == nil) == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
      }
    }
  }

  @Test("T12 Depth and count are bounded, at the bound exactly")
  func limits() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(error(nested(16)) == nil)
    #expect(error(nested(17)) == .tooDeep)
    #expect(error(String(repeating: "[", count: 1_000_000)) == .tooDeep)
    #expect(error(String(repeating: "{\"a\":", count: 1_000_000)) == .tooDeep)
    #expect(error("[1,2,3]", JSONLimits(nodeCountMax: 4)) == nil)
    #expect(error("[1,2,3]", JSONLimits(nodeCountMax: 3)) == .tooManyNodes)
    #expect(error("{\"a\":1}", JSONLimits(nodeCountMax: 2)) == .tooManyNodes)
  }

  @Test("A document counts the memory that its arrays take, not only what they hold")
  func memory() throws {
    for text in [
      "{}", "[1,2,3]", "\"\(String(repeating: "a", count: 8000))\"", "[\(String(repeating: "0,", count: 999))0]",
    ] {
      let document = try JSONDocument(Array(text.utf8))
      let taken = document.bytes.capacity + document.nodes.capacity * MemoryLayout<JSONNode>.stride
      #expect(document.byteCount >= taken)
    }
  }

  @Test("A text cut at any byte is refused, and one with any byte changed never traps")
  func cuts() {
    let text = Array("{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00é\",true,false,null],\"b\":{\"c\":{}}}".utf8)
    #expect(error(text) == nil)
    var refused = 0
    for index in text.indices {
      #expect(error(Array(text[..<index])) != nil)
      for value in UInt8.min...UInt8.max {
        var changed = text
        changed[index] = value
        if error(changed) != nil { refused += 1 }
      }
    }
    #expect(refused > text.count * 128)
  }
}
