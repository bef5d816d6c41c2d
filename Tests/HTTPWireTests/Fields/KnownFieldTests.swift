// Names: which field each is, and how aliases meet.

import Bytes
import HTTPWire
import TestBasics
import Testing

struct KnownFieldTests {
  private func field(_ name: String) throws -> FieldLine {
    var head = ResponseHead()
    let bytes = Array("HTTP/1.1 200 OK\r\n\(name): chunked\r\n\r\n".utf8)
    _ = head.parse(bytes.span, limits: HeadLimits())
    let fields = head.fields
    return try #require(fields.first)
  }

  @Test("Every known field is found by its name in any case, and by nothing else")
  func names() throws {
    for known in KnownField.allCases where known != .other {
      let name = String(describing: known.name)
      if name == "content-length" { continue }
      #expect(try field(name).known == known || known == .connection)
      #expect(try field(name.uppercased()).known == known)
      #expect(try field(name + "x").known == .other)
      #expect(try field("x" + name).known == .other)
      if name.contains("-"), !known.isFramingOrRouting {
        let alias = name.replacing("-", with: "_")
        #expect(try field(alias).known == .other)
        #expect(try field(alias).foldedHash == field(name).foldedHash)
      }
    }
    #expect(readRequest(request(fields: "Content-Length: 1")).framing == .length(1))
    #expect(KnownField.allCases.count <= 64)
  }

  @Test("Names have lower-case texts that differ")
  func texts() {
    let names = KnownField.allCases.map { String(describing: $0.name) }
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0 == $0.lowercased() && $0.utf8.count <= 24 })
  }

  @Test("T76 Every byte other than letters and digits folds to a hyphen, and nothing else changes but the case")
  func folding() throws {
    for byte in UInt8.min...UInt8.max {
      let scalar = Unicode.Scalar(byte)
      let isToken = isToken(String(scalar)) && scalar.isASCII
      let expected =
        switch byte {
        case 0x41...0x5A: byte + 0x20
        case 0x30...0x39, 0x61...0x7A: byte
        default: isToken ? UInt8(ascii: "-") : byte
        }
      #expect(foldedByte(byte) == expected, "\(byte)")
      guard isToken, expected == UInt8(ascii: "-") else { continue }
      // In words of eight bytes and byte by byte, at every place.
      for place in 1..<17 {
        var alias = Array("X-Authenticated-User".utf8)
        if alias[place] != UInt8(ascii: "-") { continue }
        alias[place] = byte
        let name = String(decoding: alias, as: UTF8.self)
        #expect(foldedEquals(name, "x-authenticated-user"))
        #expect(try field(name).foldedHash == foldedHash(of: "X-Authenticated-User"))
      }
    }
  }

  @Test("T76 Another spelling of a field that the gateway reads is not read, and fares as that field does")
  func aliasesOfKnown() throws {
    for known in KnownField.allCases where String(describing: known.name).contains("-") && !known.isFramingOrRouting {
      for mark in "!#$%&'*+.^_`|~" {
        let alias = try field(String(describing: known.name).replacing("-", with: String(mark)))
        #expect(alias.known == .other && alias.folded == known && alias.isHopByHop == known.isHopByHop)
      }
    }
    for mark in "!#$%&'*+.^_`|~" {
      for name in ["Content-Length", "Transfer-Encoding"] {
        let line = "\(name.replacing("-", with: String(mark))): 1"
        #expect(readRequest(request(fields: line)).progress == .malformed(.framingAmbiguous), "\(line)")
      }
    }
  }

  @Test("T33 Aliases of a name in case, underscore and dot share a hash, others do not")
  func aliases() throws {
    for name in ["X-User", "X", "X-Authenticated-User-Identifier", "X-User-E", "A-B-C-D-E-F-G-H-I-J-K-L-M", "a-------"]
    {
      let hash = foldedHash(of: name)
      for alias in [
        name.lowercased(), name.uppercased(), name.replacing("-", with: "_"), name.replacing("-", with: "."),
      ] {
        #expect(foldedHash(of: alias) == hash)
        #expect(foldedEquals(alias, name))
        #expect(try field(alias).foldedHash == hash)
      }
      for other in [name + "s", "s" + name, name.replacing("X", with: "Y") + "-"] {
        #expect(foldedHash(of: other) != hash)
        #expect(!foldedEquals(other, name))
      }
    }
    #expect(!foldedEquals("a b", "a b"))
    #expect(!foldedEquals("", "a"))
  }

  @Test("Hashes do not depend on where the name is in the line")
  func placement() throws {
    var generator = SeededGenerator(seed: 7)
    let alphabet = Array("abcXYZ019-_.!~".utf8)
    for _ in 0..<500 {
      let count = Int.random(in: 1...40, using: &generator)
      let name = (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
      let text = String(decoding: name, as: UTF8.self)
      #expect(try field(text).foldedHash == foldedHash(of: text))
      #expect(try field(text).name.count == count)
    }
  }

  @Test("Tokens and values for configured names are distinguished from others")
  func configuredNames() {
    #expect(isToken("X-User!#$%&'*+.^_`|~9"))
    for text in ["", "a b", "a:", "ä", "a\r", "a/b", "\"a\"", "a,b"] { #expect(!isToken(text)) }
    for text in ["", "a", "a b", "ä", "a\tb"] { #expect(isFieldValue(text)) }
    for count in 60..<100 {
      let plain = Array(repeating: UInt8(ascii: "a"), count: count)
      #expect(isFieldValue(String(decoding: plain, as: UTF8.self)))
      for byte: UInt8 in [0x00, 0x09, 0x0D, 0x1F, 0x7E, 0x7F] {
        for place in [1, 15, 31, 32, count - 2] {
          var other = plain
          other[place] = byte
          let text = String(decoding: other, as: UTF8.self)
          #expect(isFieldValue(text) == (byte == 0x09 || byte == 0x7E), "\(byte) at \(place) of \(count)")
        }
      }
    }
    for text in [" a", "a ", "\ta", "a\r\nB: c", "a\u{0}", "\u{7F}", "a\nb", "long enough \r for packed words"] {
      #expect(!isFieldValue(text))
    }
  }
}
