// What Forwarded and its nodes are read as, whatever the bytes.

import Bytes
import TestBasics
import Testing

@testable import Proxy

@Suite("Clients that proxies name")
struct ForwardedClientTests {
  private func nodes(_ text: String) -> [String]? {
    let bytes = Array(text.utf8)
    return forwardedNodes(in: bytes.span, bytes.indices)?.map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  @Test("Each element of Forwarded has one node, none or an empty one, and a malformed field has no element")
  func elements() {
    #expect(nodes("for=a;by=b, FOR=\"c, d\";proto=http ,for=e") == ["a", "c, d", "e"])
    #expect(nodes("proto=http, ,,for=a;,;") == ["", "a"])
    #expect(nodes("for=\"\\\"\"") == ["\\\""])
    #expect(nodes("") == [])
    #expect(nodes("for=") == [""])
    for text in [
      "for", "for=a b", "for=\"a", "for=\"a\\", "for=\"a\"b", "for=a;for=b", "=a", "a\\=b", "for=a\"", "f\u{0}=a",
    ] {
      #expect(nodes(text) == nil, "\(text)")
    }
  }

  @Test(
    "T79: No bytes of Forwarded trap, each node lies within, and a comma behind what is read makes one element more")
  func anyBytes() {
    var generator = SeededGenerator(seed: 79)
    let pieces = ["for=", "\"", ",", ";", "\\", "=", "a", "1.2.3.4", "[::1]", ":80", " ", "by=", "_x", "\u{0}", "é"]
    var readCount = 0
    for _ in 0..<20_000 {
      var text = ""
      for _ in 0..<Int.random(in: 0...9, using: &generator) { text += pieces.randomElement(using: &generator) ?? "" }
      let bytes = Array(text.utf8)
      guard let found = forwardedNodes(in: bytes.span, bytes.indices) else { continue }
      readCount += 1
      for node in found { #expect(node.upperBound <= bytes.count) }
      #expect(nodes(text + ",for=9.9.9.9") == (nodes(text) ?? []) + ["9.9.9.9"], "\(text)")
    }
    #expect(readCount > 1_000)
  }

  @Test(
    "T79: Nodes are addresses with or without port, brackets and quotes, or nothing",
    arguments: [
      ("1.2.3.4", "1.2.3.4"), ("1.2.3.4:0", "1.2.3.4"), ("1.2.3.4:65535", "1.2.3.4"), ("1.2.3.4:_x-1", "1.2.3.4"),
      ("::1", "::1"), ("[::1]", "::1"), ("[::1]:1", "::1"), ("[::ffff:1.2.3.4]:1", "1.2.3.4"),
      ("\"1.2.3.4\"", "1.2.3.4"),
      ("::ffff:1.2.3.4", "1.2.3.4"), ("1.2.3.4:65536", nil), ("1.2.3.4:", nil), ("1.2.3.4:_", nil), ("1.2.3.4:-1", nil),
      ("[1.2.3.4]", nil), ("[]", nil), ("[", nil), ("[:", nil), ("]:1[", nil), ("[::1]:", nil), ("", nil), ("\"", nil),
      ("\"\"", nil), ("::", nil), ("0.0.0.0.0", nil), ("unknown", nil), ("_1.2.3.4", nil), (":80", nil), ("a:1", nil),
    ] as [(String, String?)])
  func nodes(text: String, address: String?) {
    #expect(PeerAddress(node: Array(text.utf8).span)?.text == address)
  }
}
