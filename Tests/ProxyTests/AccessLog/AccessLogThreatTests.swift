// Log injection: hostile bytes in every field, in every format.

import Bytes
import Configuration
import TestBasics
import Testing

@testable import Proxy

@Suite("Access log under attack")
struct AccessLogThreatTests {
  static let hostile: [[UInt8]] =
    [
      "a\r\nGET /forged HTTP/1.1", "\"}\n{\"status\":200,\"x\":\"", "\\\"", "\\", "\u{1B}[2J", "\0", "\u{7F}",
      "\u{85}next", "\u{9B}31m", "\u{2028}x\u{2029}", "\u{202E}gnp.exe", "\u{2066}", "-\" 200 5 \"", "héé 日本 🎉",
    ].map { Array($0.utf8) } + [
      [0xFF, 0xFE, 0x0A], [0xC0, 0x8A], [0xE0, 0x80, 0x8A], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
      [0xF0, 0x9F, 0x8E],
      [0xC3], [0xE2, 0x80], [0x80], [0xC3, 0x0A], [0xE2, 0x80, 0x0A, 0x80],
    ] + (UInt8.min...UInt8.max).map { [0x61, $0, 0x62] }

  private func entry(_ text: [UInt8]) -> AccessLogEntry {
    var entry = AccessLogEntry()
    entry.set(.status, 200)
    for field in AccessLogField.allCases { entry.set(field, text.span) }
    return entry
  }

  private func bytes(_ text: [UInt8], _ format: AccessLog.Format) -> [UInt8] {
    var output = ByteQueue()
    AccessLogFormatter(AccessLog(format)).append(entry(text), to: &output)
    return output.span.copied()
  }

  @Test("T59 No bytes break a line or bring a control character into it", arguments: hostile)
  func oneLine(_ text: [UInt8]) {
    let template = AccessLog.Format.template(AccessLogField.allCases.map { .field($0) })
    for format in [AccessLog.Format.json, .ecs, .otel, .combined, template] {
      let line = bytes(text, format)
      #expect(line.last == 0x0A)
      #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "\(line)")
      let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
      #expect(
        scalars.allSatisfy { !(0x80...0x9F ~= $0.value || 0x2028...0x202E ~= $0.value || 0x2066...0x2069 ~= $0.value) })
      if ![.json, .ecs, .otel].contains(format) { #expect(line.dropLast().allSatisfy { $0 < 0x7F }, "\(line)") }
    }
  }

  @Test(
    "A json line read by a strict reader gives the text back, with U+FFFD for what is not UTF-8", arguments: hostile)
  func jsonRoundTrip(_ text: [UInt8]) throws {
    let line = bytes(text, .json).dropLast()
    let members = try #require(StrictJSON.members(of: Array(line)), "\(String(decoding: line, as: UTF8.self))")
    let names = members.map(\.name)
    #expect(Set(names).count == names.count)
    let isCut = text.contains(UInt8(ascii: "?")) || text.contains(UInt8(ascii: "#"))
    for field in ["client_ip", "method", "host", "user_agent", "subject", "request_id"]
      + (isCut ? [] : ["path", "referer"])
    {
      let value = try #require(members.first { $0.name == field }?.value)
      #expect(value.filter { $0 != "\u{FFFD}" } == StrictJSON.validScalars(text), "\(field)")
    }
  }

  @Test(
    "In the combined format every quote of a text is escaped and unquoted columns hold no space", arguments: hostile)
  func combinedColumns(_ text: [UInt8]) {
    let line = String(decoding: bytes(text, .combined).dropLast(), as: UTF8.self)
    var columns: [String] = [""]
    var isQuoted = false
    var isEscaped = false
    for character in line {
      if isEscaped {
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else if character == "\"" {
        isQuoted.toggle()
      } else if character == " ", !isQuoted {
        columns.append("")
        continue
      }
      columns[columns.count - 1].append(character)
    }
    #expect(!isQuoted)
    #expect(columns.count == 11)
    #expect(columns[6] == "200")
    #expect(columns[5].split(separator: " ").count == 3)
  }

  @Test("Any bytes in any field make one well-formed line")
  func anyBytes() {
    var random = SeededGenerator(seed: 59)
    for _ in 0..<2_000 {
      let text = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random) : UInt8.random(in: 0x80...0xF4, using: &random)
      }
      let line = bytes(text, .json)
      #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F })
      #expect(StrictJSON.members(of: Array(line.dropLast())) != nil, "\(text)")
    }
  }
}

/// A reader of one flat JSON object, as strict as RFC 8259, for these tests alone.
enum StrictJSON {
  static func members(of bytes: [UInt8]) -> [(name: String, value: String)]? {
    // Invalid UTF-8 anywhere makes the line unreadable.
    guard let text = String(validating: bytes, as: UTF8.self), text.first == "{", text.last == "}" else { return nil }
    let scalars = Array(text.unicodeScalars)
    var index = 1
    var members: [(name: String, value: String)] = []
    while true {
      guard let name = string(scalars, &index), index < scalars.count, scalars[index] == ":" else { return nil }
      index += 1
      if index < scalars.count, scalars[index] == "\"" {
        guard let value = string(scalars, &index) else { return nil }
        members.append((name, value))
      } else {
        let start = index
        while index < scalars.count, "0123456789.".unicodeScalars.contains(scalars[index]) { index += 1 }
        if index == start { return nil }
        members.append((name, String(String.UnicodeScalarView(scalars[start..<index]))))
      }
      if index == scalars.count - 1 { return members }
      guard scalars[index] == "," else { return nil }
      index += 1
    }
  }

  private static func string(_ scalars: [Unicode.Scalar], _ index: inout Int) -> String? {
    guard index < scalars.count, scalars[index] == "\"" else { return nil }
    index += 1
    var result = String.UnicodeScalarView()
    while index < scalars.count, scalars[index] != "\"" {
      if scalars[index].value < 0x20 { return nil }
      if scalars[index] == "\\" {
        guard index + 1 < scalars.count else { return nil }
        if scalars[index + 1] == "u" {
          guard index + 5 < scalars.count,
            let code = UInt32(String(String.UnicodeScalarView(scalars[index + 2...index + 5])), radix: 16),
            let scalar = Unicode.Scalar(code)
          else { return nil }
          result.append(scalar)
          index += 6
          continue
        }
        guard "\"\\/".unicodeScalars.contains(scalars[index + 1]) else { return nil }
        index += 1
      }
      result.append(scalars[index])
      index += 1
    }
    guard index < scalars.count else { return nil }
    index += 1
    return String(result)
  }

  /// The text without what is not UTF-8, by the standard library's decoder.
  static func validScalars(_ bytes: [UInt8]) -> String {
    String(decoding: bytes, as: UTF8.self).filter { $0 != "\u{FFFD}" }
  }
}
