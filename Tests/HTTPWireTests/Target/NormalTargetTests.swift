// The normal form of targets: one spelling for each path, and no second reading of it.

import Bytes
import HTTPWire
import Testing

/// What a target became: its bytes, or why there are none.
private struct Normal: Equatable {
  var text = ""
  var path = ""
  var query: String?
  var segments: [String] = []
  var hasTrailingSlash = false
  var error: TargetError?

  init(_ raw: [UInt8]) {
    var target = NormalTarget()
    error = target.normalize(raw.span)
    guard error == nil else { return }
    let span = target.bytes.span
    text = span.text()
    path = HTTPWireTests.text(span, 0..<target.pathCount)
    query = target.query.map { HTTPWireTests.text(span, $0) }
    segments = target.segments.map { HTTPWireTests.text(span, $0) }
    hasTrailingSlash = target.hasTrailingSlash
  }

  init(_ raw: String) { self.init(Array(raw.utf8)) }
}

struct NormalTargetTests {
  @Test(
    "T39 Each way to write a path leads to one normal form",
    arguments: [
      ("", "/"), ("/", "/"), ("?", "/?"), ("?a", "/?a"), ("/a", "/a"), ("/a/", "/a/"), ("//", "/"), ("//a", "/a"),
      ("/a//b", "/a/b"),
      ("/a///", "/a/"), ("/./a", "/a"), ("/a/.", "/a/"), ("/a/./", "/a/"), ("/a/..", "/"), ("/a/../", "/"),
      ("/a/b/..", "/a/"),
      ("/a/b/../c", "/a/c"), ("/a/b/../../c", "/c"), ("/a//../b", "/b"), ("/%2e/a", "/a"), ("/a/%2E%2e/b", "/b"),
      ("/a/.%2e", "/"),
      ("/...", "/..."), ("/.a", "/.a"), ("/a.", "/a."), ("/%61%7e%5F", "/a~_"), ("/%c3%a4", "/%C3%A4"),
      ("/%3b", "/%3B"),
      ("/%3fa", "/%3Fa"), ("/%23", "/%23"), ("/%20", "/%20"), ("/%25", "/%25"), ("/%25x1", "/%25x1"),
      ("/%252", "/%252"), ("/%252/f", "/%252/f"),
      ("/a|b", "/a%7Cb"), ("/%7cb", "/%7Cb"), ("/[id]", "/%5Bid%5D"), ("/a\"<>^`{}", "/a%22%3C%3E%5E%60%7B%7D"),
      ("/!$&'()*+,=:@", "/!$&'()*+,=:@"), ("/a;b=c/d;e", "/a;b=c/d;e"), ("/a/;x", "/a/;x"), ("/;x", "/;x"),
      ("/a?b/../c;d?e%zz", "/a?b/../c;d?e%zz"),
      ("/a//;x", "/a/;x"), ("/a;x/..", "/"), ("/a;/b", "/a;/b"), ("/a/..?x", "/?x"), ("/a?", "/a?"),
      ("/a?\u{E4}", "/a?\u{E4}"), ("/%2a", "/*"), ("/%40me", "/@me"),
    ])
  func normalForm(raw: String, normal: String) {
    let reading = Normal(raw)
    #expect(reading.error == nil)
    #expect(reading.text == normal)
    #expect(Normal(reading.text) == reading)
  }

  @Test(
    "T39 T40 T41 What servers read in different ways is refused",
    arguments: [
      ("a", TargetError.notAPath), ("*", .notAPath), ("#", .notAPath), ("http://a/", .notAPath), ("/..", .aboveRoot),
      ("/../a", .aboveRoot),
      ("/a/../..", .aboveRoot), ("/%2e%2e/a", .aboveRoot), ("//..", .aboveRoot), ("/./..", .aboveRoot),
      ("/a/../../b", .aboveRoot),
      ("/%00", .encodedControl), ("/a%0d%0a", .encodedControl), ("/%1f", .encodedControl), ("/%7F", .encodedControl),
      ("/a%2fb", .encodedSlash), ("/a%2Fb", .encodedSlash), ("/%5c", .encodedSlash), ("/..%2f", .encodedSlash),
      ("/..%5C..", .encodedSlash),
      ("/a\\b", .byteInvalid), ("/\\..\\a", .byteInvalid), ("/a#b", .byteInvalid), ("/a?b#c", .byteInvalid),
      ("/a b", .byteInvalid),
      ("/a\u{0}", .byteInvalid), ("/a\tb", .byteInvalid), ("/\u{7F}", .byteInvalid), ("/\u{E4}", .byteInvalid),
      ("/a?b c", .byteInvalid),
      ("/a?\u{0}", .byteInvalid), ("/a?0123456789\u{7F}0123456789", .byteInvalid), ("/%", .percentInvalid),
      ("/%4", .percentInvalid),
      ("/%4?1", .percentInvalid), ("/%zz", .percentInvalid), ("/%4g", .percentInvalid), ("/%%41", .percentInvalid),
      ("/%u0041", .percentInvalid),
      ("/%4/1", .percentInvalid), ("/%252f", .doubleEncoding), ("/%252e%252e/a", .doubleEncoding),
      ("/%2541", .doubleEncoding),
      ("/%25%34%31", .doubleEncoding), ("/%254%31", .doubleEncoding), ("/%252e/..", .doubleEncoding),
      ("/a;%252f", .doubleEncoding),
      ("/..;/a", .emptyParameters), ("/..;a=b/c", .emptyParameters), ("/.;/a", .emptyParameters),
      ("/a/..;", .emptyParameters),
      ("/a/%2e%2e;x/b", .emptyParameters), ("/a/..%3bx/b", .emptyParameters), ("/a/.%3B", .emptyParameters),
      ("/;x/a", .emptyParameters),
      ("/;/a", .emptyParameters), ("/a/..%3B;", .emptyParameters),
    ])
  func refused(raw: String, error: TargetError) {
    #expect(Normal(raw).error == error)
    if !raw.contains("?"), error != .notAPath {
      #expect(Normal(raw + "?query").error == error)
    }
  }

  @Test("T40 Segments are listed without their parameters, which are forwarded")
  func segments() {
    let reading = Normal("/a;v=1;w/b//c;/d%3b;x?q=/y;z")
    #expect(reading.text == "/a;v=1;w/b/c;/d%3B;x?q=/y;z")
    #expect(reading.segments == ["a", "b", "c", "d%3B"])
    #expect(reading.query == "q=/y;z")
    #expect(reading.path == "/a;v=1;w/b/c;/d%3B;x")
    #expect(!reading.hasTrailingSlash)
    #expect(Normal("/a/;jsessionid=1").segments == ["a"])
    #expect(Normal("/a/;jsessionid=1").hasTrailingSlash)
    #expect(Normal("/a/b/..").segments == ["a"])
  }

  @Test("T39 A rule for a name holds for every spelling of it that a server would decode")
  func decodedDelimiters() {
    #expect(Normal("/users/%40me").text == "/users/@me")
    #expect(Normal("/a%2Cb%21%3a%3D%2b").text == "/a,b!:=+")
    #expect(Normal("/a%3Fb%23").text == "/a%3Fb%23")
  }

  @Test("A trailing slash is told from none, and an empty query from none")
  func ends() {
    for path in ["/", "", "//", "/a/", "/a/.", "/a/b/..", "/a//"] { #expect(Normal(path).hasTrailingSlash, "\(path)") }
    for path in ["/a", "/a/b", "/a/../b", "/a;x"] { #expect(!Normal(path).hasTrailingSlash, "\(path)") }
    #expect(Normal("/").segments == [])
    #expect(Normal("/a?").query == "")
    #expect(Normal("/a").query == nil)
  }

  @Test("A path has a bounded number of segments")
  func bound() {
    let most = String(repeating: "/a", count: NormalTarget.segmentCountMax)
    #expect(Normal(most).segments.count == NormalTarget.segmentCountMax)
    #expect(Normal(most + "/a").error == .tooManySegments)
    #expect(Normal(most + "/").error == nil)
  }

  @Test("T39 The normal form of a normal form is itself, whatever the bytes")
  func idempotence() {
    var generator = SeededGenerator(seed: 39)
    let pieces = [
      "/", "//", ".", "..", "%2e", "%2E", ";", "a", "B", "%25", "%2", "5", "41", "%41", "%c3%A4", "|", "?", "=", "%3B",
      "%3b", "~", "é", "%", "\\", "#",
      " ", "%00",
    ]
    var normalCount = 0
    for _ in 0..<20_000 {
      var raw = "/"
      for _ in 0..<Int.random(in: 0...8, using: &generator) {
        raw += pieces[Int.random(in: 0..<pieces.count, using: &generator)]
      }
      let once = Normal(raw)
      if once.error != nil { continue }
      normalCount += 1
      if Normal(once.text) != once { Issue.record("\(raw) → \(once.text) → \(Normal(once.text))") }
      let path = once.path
      #expect(!path.contains("//") && !("\(path)/").contains("/../") && !("\(path)/").contains("/./"))
      #expect(path.hasPrefix("/"))
    }
    #expect(normalCount > 4_000)
  }

  @Test("No bytes make the normal form trap")
  func anyBytes() {
    var generator = SeededGenerator(seed: 40)
    for _ in 0..<20_000 {
      var raw = (0..<Int.random(in: 0...24, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator)
      }
      if Bool.random(using: &generator) { raw.insert(0x2F, at: 0) }
      let once = Normal(raw)
      if once.error == nil, !once.text.utf8.contains(0xEF) { #expect(Normal(once.text) == once) }
    }
    #expect(Set(TargetError.allCases.map(\.rawValue)).count == TargetError.allCases.count)
  }
}
