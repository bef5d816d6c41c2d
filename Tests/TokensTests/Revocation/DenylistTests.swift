// Denylists: what a line means, what is no list, and how many entries fit into how much memory.

import Bytes
import TestBasics
import Testing

@testable import Tokens

@Suite("Denylists")
struct DenylistTests {
  private static let now: Int64 = 1_700_000_000

  private func read(_ text: String, pieces: Int = .max) throws -> Denylist {
    var reader = DenylistReader(now: Self.now)
    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let end = start + min(pieces, bytes.count - start)
      try reader.take(bytes.span.extracting(start..<end))
      start = end
    }
    return Denylist(try reader.finish())
  }

  private func fault(_ text: String) -> DenylistError? {
    do {
      _ = try read(text)
      return nil
    } catch {
      return error as? DenylistError
    }
  }

  private func has(
    _ list: Denylist, _ selector: DenylistSelector, _ name: String = "", issuedAt: Int64? = now - 10, now: Int64 = now
  ) -> Bool { list.includes(selector, Array(name.utf8).span, issuedAt: issuedAt, now: now) }

  @Test("Each kind of line names what it says, in whichever form JSON allows, cut at each byte")
  func lines() throws {
    let text = """
      {"jti": "t-1"}
      {"jti":"t-\\u0032","note":"lost \\"laptop\\""}
        { "sub" : "ada" , "issued_before" : 1699999995 }\r
      {"issued_before":1699999990,"sub":"bob","until":1700000100}

      {"sid":"s-1"}
      {"kid":"schlüssel"}
      {"issued_before": 1600000000}
      {"lines": 7}

      """
    for pieces in 1...text.utf8.count {
      let list = try read(text, pieces: pieces)
      #expect(list.count == 7)
      #expect(has(list, .token, "t-1") && has(list, .token, "t-2") && !has(list, .token, "t-3"))
      #expect(has(list, .session, "s-1") && has(list, .key, "schlüssel") && !has(list, .session, "t-1"))
      #expect(has(list, .subject, "ada") && !has(list, .subject, "ada", issuedAt: 1_699_999_995))
      // Who does not say when it was issued may have been at any time.
      #expect(has(list, .subject, "ada", issuedAt: nil) && has(list, .issuer, issuedAt: nil))
      #expect(!has(list, .subject, "bob") && has(list, .subject, "bob", issuedAt: 1_699_999_989))
      #expect(!has(list, .subject, "bob", issuedAt: 1_699_999_989, now: 1_700_000_100))
      #expect(has(list, .issuer, issuedAt: 1_599_999_999) && !has(list, .issuer, issuedAt: 1_600_000_000))
    }
  }

  @Test("What counts no more is left out, and of two entries with one name the stricter counts")
  func merged() throws {
    let list = try read(
      """
      {"jti":"old","until":1700000000}
      {"sub":"ada","issued_before":100,"until":1700000050}
      {"sub":"ada","issued_before":200,"until":1700000020}
      {"sub":"eve","issued_before":200}
      {"sub":"eve"}

      """)
    #expect(list.count == 2 && !has(list, .token, "old"))
    #expect(has(list, .subject, "ada", issuedAt: 150, now: 1_700_000_049))
    #expect(!has(list, .subject, "ada", issuedAt: 150, now: 1_700_000_050))
    #expect(has(list, .subject, "eve", issuedAt: Self.now))
  }

  @Test("T103 A list that is empty, cut or not one is refused as a whole, with the line and the reason")
  func refused() throws {
    #expect(fault("") == .empty && fault("\n \n") == .empty)
    #expect(fault("{\"jti\":\"a\"}\n{\"jti\":\"b") == .cut)
    #expect(fault("{\"jti\":\"a\"}\n{\"jti\":\"b\"}") == .cut)
    #expect(fault("{\"jti\":\"a\"}\n{\"lines\":2}\n") == .cut)
    #expect(fault("{\"lines\":0}\n") == nil && fault("{\"note\":\"nobody\"}\n") == nil)
    for (line, expected) in [
      ("<html>", DenylistFault.notJSON), ("[]", .notJSON), ("{\"jti\":\"a\",\"jti\":\"b\"}", .notJSON),
      ("{\"jti\":{\"a\":[1]}}", .notJSON), ("{\"jti\":\"\u{1}\"}", .notJSON), ("{}", .selectorMissing),
      ("{\"until\":1}", .selectorMissing), ("{\"jit\":\"a\"}", .memberUnknown), ("{\"jti\":\"\"}", .valueInvalid),
      ("{\"jti\":7}", .valueInvalid), ("{\"jti\":null}", .valueInvalid),
      ("{\"sub\":\"a\",\"until\":\"1\"}", .valueInvalid),
      ("{\"sub\":\"a\",\"issued_before\":-1}", .valueInvalid), ("{\"sub\":\"a\",\"issued_before\":1.5}", .valueInvalid),
      ("{\"sub\":\"a\",\"issued_before\":99999999999999999999}", .valueInvalid),
      ("{\"jti\":\"a\",\"sub\":\"b\"}", .selectorsMany), ("{\"jti\":\"a\",\"issued_before\":1}", .timeMisplaced),
      ("{\"jti\":\"a\",\"lines\":1}", .linesMisplaced),
    ] {
      #expect(fault("{\"sid\":\"s\"}\n\(line)\n") == .line(2, expected), "\(line)")
    }
    #expect(fault("{\"lines\":0}\n{\"jti\":\"a\"}\n") == .line(2, .linesMisplaced))
    #expect(fault("{\"jti\":\"\(String(repeating: "a", count: 20_000))\"}\n") == .lineTooLong(1))
  }

  @Test("A stream's entry means what the line with its members does")
  func fields() throws {
    func entry(_ words: String...) throws -> DenylistEntry? {
      try DenylistEntry.read(fields: words.map { Array($0.utf8) })
    }
    #expect(try entry("jti", "a", "until", "1700000100")?.times.until == 1_700_000_100)
    #expect(try entry("sub", "a", "issued_before", "5")?.times.issuedBefore == 5)
    #expect(try entry("issued_before", "5")?.selector == .issuer)
    #expect(try entry("note", "nobody") == nil)
    #expect(throws: DenylistFault.valueInvalid) { try entry("jti") }
    #expect(throws: DenylistFault.valueInvalid) { try entry("sub", "a", "issued_before", "soon") }
    #expect(throws: DenylistFault.memberUnknown) { try entry("JTI", "a") }
    #expect(throws: DenylistFault.linesMisplaced) { try entry("lines", "1") }
  }

  @Test("Entries that come later are found beside those that were there, however many")
  func growing() throws {
    var list = try read("{\"jti\":\"first\"}\n")
    let before = list
    for number in 0..<10_000 {
      list.insert(try #require(try DenylistEntry.read(Array("{\"jti\":\"t-\(number)\"}".utf8).span)))
    }
    #expect(list.count == 10_001 && before.count == 1)
    for number in 0..<10_000 where !has(list, .token, "t-\(number)") { Issue.record("t-\(number) is lost") }
    #expect(has(list, .token, "first") && !has(list, .token, "t-10000") && !has(before, .token, "t-1"))
  }

  @Test("A hundred thousand entries take at most 22 bytes each, and no other name is found among them")
  func memory() {
    var table = DenylistTable()
    let count = 100_000
    table.reserve(count)
    for number in 0..<count { table.insert(.token, Array("token-\(number)".utf8).span, DenylistTimes()) }
    #expect(table.count == count && table.byteCount <= 22 * count, "\(table.byteCount)")
    var found = 0
    for number in 0..<count where table.includes(.token, Array("token-\(number)".utf8).span, issuedAt: nil, now: 1) {
      found += 1
    }
    #expect(found == count)
    for number in 0..<count where table.includes(.token, Array("other-\(number)".utf8).span, issuedAt: nil, now: 1) {
      found += 1
    }
    #expect(found == count)
  }
}
