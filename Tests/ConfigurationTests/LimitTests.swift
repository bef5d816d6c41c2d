// What a file has so much of that it is no longer looked at one by one, and how texts are searched.

import Foundation
import Testing

@testable import Configuration

@Suite("Files with very many")
struct LimitTests {
  private let top = """
    listeners: [{ address: 0.0.0.0:8080 }]

    """

  private func lines(_ count: Int, _ line: (Int) -> String) -> String {
    (0..<count).map { line($0) + "\n" }.joined()
  }

  @Test("Of many mistakes a thousand are reported, and then that there are more") func manyErrors() {
    let messages = World.messages(top + lines(1500) { "unknwon-\($0): 1" })
    #expect(messages.count == 1001)
    #expect(messages.last == "gateway.conf:1002:1: more than 1000 errors: those that were found later are not shown")
    #expect(World.messages(top + lines(999) { "unknwon-\($0): 1" }).allSatisfy { !$0.contains("more than") })
  }

  @Test("Warnings are counted by themselves, and hide no error") func manyWarnings() {
    let text =
      top + "upstreams:\n  app: { servers: [\"10.0.0.1:9000\"] }\n"
      + lines(1200) { "  app-\($0): { servers: [\"10.0.0.1:9000\"] }" }
    let good = World.messages(text + "routes: [{ path: /*, auth: public, upstream: app }]\n")
    #expect(good.count == 1001)
    #expect(good.allSatisfy { $0.contains(": warning: ") })
    #expect(good.last?.contains("more than 1000 warnings") == true)
    let slashes = lines(1100) { "  - { path: /p\($0)/, auth: public, upstream: app }" }
    let bad = World.messages(text + "routes:\n" + slashes + "  - { path: /*, auth: nobody, upstream: app }\n")
    #expect(bad.count == 1002)
    #expect(bad.contains { $0.contains("there is no issuer 'nobody'") })
  }

  @Test("A mistake that many routes inherit is one mistake") func inherited() {
    let routes = lines(1200) { "      - { path: /p\($0) }" }
    let messages = World.messages(
      top + "upstreams: { app: { servers: [\"10.0.0.1:9000\"] } }\n"
        + "routes:\n  - auth: public\n    upstream: app\n    timeout: never\n    routes:\n" + routes)
    #expect(messages.count == 1, "\(messages.prefix(3))")
  }

  @Test("More than a hundred lines with %TAG are refused at the first that is too many") func tags() {
    let tags = lines(150) { "%TAG !t\($0)! tag:example.com,2000:" }
    #expect(
      World.messages(tags + "---\na: 1\n")
        == ["gateway.conf:101:1: more than 100 lines begin with '%TAG': remove them, tags have no use here"])
    #expect(!World.messages("# %TAG\n" + top).contains { $0.contains("%TAG") })
  }

  @Test("Two routes of one path are told apart by listeners and methods, and the first of them is named")
  func duplicates() {
    let text = """
      listeners: [{ name: a, address: 0.0.0.0:8080 }, { name: b, address: 0.0.0.0:8081 }]
      upstreams: { app: { servers: ["10.0.0.1:9000"] } }
      routes:
        - { path: "/{x}", auth: public, upstream: app, listeners: [a], methods: [GET, HEAD] }
        - { path: "/{y}", auth: public, upstream: app, listeners: [b], methods: [GET] }
        - { path: "/{z}", auth: public, upstream: app, listeners: [a], methods: [POST] }
        - { path: "/{z}", auth: public, upstream: app, listeners: [b, a], methods: [POST, GET] }
        - { path: "/{z}", auth: public, upstream: app, listeners: [a] }
        - { path: "/{z}", auth: public, upstream: app }
        - { path: "/{z}", auth: public, upstream: app }
      """
    #expect(
      World.messages(text).filter { $0.contains("match") } == [
        "gateway.conf:7:13: this route and the one on line 4 match GET on the same host and path: "
          + "distinguish them by host, path, methods, headers or listeners",
        "gateway.conf:10:13: this route and the one on line 9 match the same requests: "
          + "distinguish them by host, path, methods, headers or listeners",
      ])
  }
}

@Suite("Searches of texts")
struct TextSearchTests {
  private static let texts = ["", "a", "aa", "aab", "a/b", "/", "//", "/a//b/", "é/ü", "日本/語", "*.a.*", "\u{E000}*"]

  @Test("Searches by bytes find what the standard library finds", arguments: texts) func search(text: String) {
    for word in Self.texts + ["ab", "b/", "*"] {
      #expect(text.contains(word) == text.reference(contains: word), "\(word)")
      #expect(text[...].contains(word) == text.contains(word))
      guard !word.isEmpty else { continue }
      #expect(text.firstRange(of: word)?.lowerBound == Array(text).start(of: Array(word)).map(text.index(at:)))
      #expect(text.replacing(word, with: "<>") == text.components(separatedBy: word).joined(separator: "<>"), "\(word)")
    }
    #expect(text.pieces(between: "/").map(String.init) == text.components(separatedBy: "/"))
    #expect(text.contains(anyOf: "*/") == text.contains { "*/".contains($0) })
    #expect(text.cut(before: "/") == text.components(separatedBy: "/")[0])
    #expect(text.uppercased().inLowerCase == text.lowercased())
  }
}

extension String {
  fileprivate func reference(contains word: String) -> Bool {
    word.isEmpty || Array(self).start(of: Array(word)) != nil
  }

  fileprivate func index(at offset: Int) -> Index { index(startIndex, offsetBy: offset) }
}

extension [Character] {
  fileprivate func start(of word: [Character]) -> Int? {
    indices.first { self[$0...].starts(with: word) }
  }
}
