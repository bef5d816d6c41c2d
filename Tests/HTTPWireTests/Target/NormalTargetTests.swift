// The normal form of targets: one spelling for each path, and no second reading of it.

import Bytes
import HTTPWire
import TestBasics
import Testing

/// What a target became: its bytes, or why there are none.
private struct Normal: Equatable {
  var text = ""
  var path = ""
  var query: String?
  var segments: [String] = []
  var hasTrailingSlash = false
  var oddities: PathOddities = []
  /// The plain path and its segments, where there is one.
  var plain: [String]?
  var error: TargetError?

  init(_ raw: [UInt8]) {
    var target = NormalTarget()
    // What was there before leaves nothing behind.
    _ = target.normalize(Array("/%40/../b/%40".utf8).span)
    error = target.normalize(raw.span)
    guard error == nil else { return }
    let span = target.bytes.span
    text = span.text()
    path = HTTPWireTests.text(span, 0..<target.pathCount)
    query = target.query.map { HTTPWireTests.text(span, $0) }
    segments = target.segments.map { HTTPWireTests.text(span, $0) }
    hasTrailingSlash = target.hasTrailingSlash
    oddities = target.oddities
    guard target.hasEncodedDelimiter else { return }
    let spelling = target.plainPath.span
    plain = [spelling.text()] + target.plainSegments.map { HTTPWireTests.text(spelling, $0) }
  }

  init(_ raw: String) { self.init(Array(raw.utf8)) }

  /// Whether the normal form is its own.
  var isReread: Bool {
    var same = self
    same.oddities.subtract([.dotSegments, .emptySegments])
    return Normal(text) == same
  }
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
      ("/%2a", "/%2A"), ("/%40me", "/%40me"), ("/%7eme", "/~me"),
      ("/My%2520File.txt", "/My%2520File.txt"), ("/%2541", "/%2541"), ("/%25c3%25a4", "/%25c3%25a4"),
      ("/a%253bx", "/a%253bx"),
      ("/a%252e", "/a%252e"), ("/%252e%252e%252e", "/%252e%252e%252e"),
      ("/%E2%82%ac%f0%9F%98%80", "/%E2%82%AC%F0%9F%98%80"),
      ("/a;p=%252e", "/a;p=%252e"),
      ("/a%2fb", "/a%2Fb"), ("/%2f", "/%2F"), ("/%5c", "/%5C"), ("/a%2f%2Fb%5c/c", "/a%2F%2Fb%5C/c"),
      ("/a%2f...%5c.b", "/a%2F...%5C.b"), ("/a%2f;x", "/a%2F;x"), ("/a;..%2fb", "/a;..%2Fb"),
    ])
  func normalForm(raw: String, normal: String) {
    let reading = Normal(raw)
    #expect(reading.error == nil)
    #expect(reading.text == normal)
    #expect(reading.isReread)
  }

  @Test(
    "T39 T40 T41 What servers read in different ways is refused",
    arguments: [
      ("a", TargetError.notAPath), ("*", .notAPath), ("#", .notAPath), ("http://a/", .notAPath), ("/..", .aboveRoot),
      ("/../a", .aboveRoot),
      ("/a/../..", .aboveRoot), ("/%2e%2e/a", .aboveRoot), ("//..", .aboveRoot), ("/./..", .aboveRoot),
      ("/a/../../b", .aboveRoot),
      ("/%00", .encodedControl), ("/a%0d%0a", .encodedControl), ("/%1f", .encodedControl), ("/%7F", .encodedControl),
      ("/..%2f", .encodedSlash), ("/%2e%2e%2f", .encodedSlash), ("/..%5C..", .encodedSlash),
      ("/a%2f..", .encodedSlash), ("/a%2F./b", .encodedSlash), ("/a%2f%2E%2e%5cb", .encodedSlash),
      ("/a/.%2fb", .encodedSlash), ("/..;x%2fa", .encodedSlash), ("/a%5c..%3bx", .encodedSlash),
      ("/a%2f..;x/b", .encodedSlash), ("/a;x%2f../b", .encodedSlash), ("/%252e%252e%2fa", .encodedSlash),
      ("/a%2f%252e.", .encodedSlash), ("/a%2f..%253bx", .encodedSlash),
      ("/a\\b", .byteInvalid), ("/\\..\\a", .byteInvalid), ("/a#b", .byteInvalid), ("/a?b#c", .byteInvalid),
      ("/a b", .byteInvalid),
      ("/a\u{0}", .byteInvalid), ("/a\tb", .byteInvalid), ("/\u{7F}", .byteInvalid), ("/\u{E4}", .byteInvalid),
      ("/a?b c", .byteInvalid),
      ("/a?\u{0}", .byteInvalid), ("/a?0123456789\u{7F}0123456789", .byteInvalid), ("/%", .percentInvalid),
      ("/%4", .percentInvalid),
      ("/%4?1", .percentInvalid), ("/%zz", .percentInvalid), ("/%4g", .percentInvalid), ("/%%41", .percentInvalid),
      ("/%u0041", .percentInvalid),
      ("/%4/1", .percentInvalid), ("/%252e%252e/a", .doubleEncoding),
      ("/%2500", .doubleEncoding),
      ("/%250a", .doubleEncoding),
      ("/%257f", .doubleEncoding),

      ("/%252e/..", .doubleEncoding),
      ("/.%252e/a", .doubleEncoding), ("/%252E./a", .doubleEncoding),
      ("/a/%252e", .doubleEncoding), ("/a/%252e%252e;x", .doubleEncoding), ("/a/%252e%252e%3bx", .doubleEncoding),
      ("/a/%252e%252e%253bx/b", .doubleEncoding), ("/a/..%253bx/b", .doubleEncoding),
      ("/%c0%af", .notUTF8), ("/%C0%AE%c0%ae/a", .notUTF8), ("/%e0%80%af", .notUTF8), ("/%f0%80%80%af", .notUTF8),
      ("/%E9", .notUTF8), ("/%ff", .notUTF8), ("/%80", .notUTF8), ("/%c3", .notUTF8), ("/%c3a4", .notUTF8),
      ("/%c3/%a4", .notUTF8), ("/%c3%41", .notUTF8), ("/%c3%zz", .notUTF8), ("/%ed%a0%80", .notUTF8),
      ("/%f4%90%80%80", .notUTF8), ("/a;%c0%ae", .notUTF8), ("/%e2%82", .notUTF8), ("/a%c3%a4%a4", .notUTF8),
      ("/a?\u{E4}", .byteInvalid), ("/a?01234567\u{E4}01234567", .byteInvalid),
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
    #expect(Normal("/users/%40me").plain == ["/users/@me", "users", "@me"])
    #expect(Normal("/a%2Cb%21%3a%3D%2b;p=%40/%c3%a4?q").plain == ["/a,b!:=+;p=%40/%C3%A4", "a,b!:=+", "%C3%A4"])
    #expect(Normal("/%40/../b%2b/").plain == ["/b+/", "b+"])
    #expect(Normal("/a%3Fb%23").plain == nil)
    #expect(Normal("/users/@me").plain == nil)
  }

  @Test(
    "T117: A path is altered where dot segments or empty ones are left out of it, and by nothing else",
    arguments: [
      ("//", true), ("//a", true), ("/a//b", true), ("/a//", true), ("/a/./b", true), ("/./a", true), ("/a/.", true),
      ("/a/..", true), ("/a/../b", true), ("/a/%2e%2e/b", true), ("/%2e/a", true), ("/a//;x", true), ("/a;x/..", true),
      ("", false), ("/", false), ("?a//b", false), ("/a", false), ("/a/", false), ("/a/b?c/../d//", false),
      ("/%61", false), ("/a%7cb|", false), ("/%40", false), ("/a/;x", false), ("/...", false), ("/.a/..b/c.", false),
      ("/a;x/../b", true), ("/a%252eb", false),
    ])
  func alteration(raw: String, isAltered: Bool) {
    let reading = Normal(raw)
    #expect(reading.error == nil)
    #expect(reading.oddities.isEmpty == !isAltered)
    #expect(Normal(reading.text).oddities.isEmpty)
  }

  @Test("An encoded slash is a byte of its segment and is noted, whatever else the path has")
  func encodedSlashes() {
    #expect(Normal("/api/group%2frepo/%5c;v=1/x").segments == ["api", "group%2Frepo", "%5C", "x"])
    #expect(Normal("/a%2F%40b").plain == ["/a%2F@b", "a%2F@b"])
    for path in ["/a%2fb", "/%5C", "/a;p=%2f", "/a%2f?q"] { #expect(Normal(path).oddities == .encodedSlash, "\(path)") }
    #expect(Normal("/a//%2f").oddities == [.encodedSlash, .emptySegments])
    #expect(Normal("/a/./%2f").oddities == [.encodedSlash, .dotSegments])
    #expect(Normal("/a?%2f").oddities.isEmpty)
    for path in [
      "/%252f", "/%255c", "/%2525", "/%25252f", "/%25%32%66", "/%252%66", "/a;%252f", "/a%20b%252f", "/a%252Fb.ics",
    ] { #expect(Normal(path).oddities == .twiceEncodedSlash, "\(path)") }
    for path in ["/..%252fa", "/a%252f..", "/a%252f%252e%252e%255cb", "/%252e%252f"] {
      #expect(Normal(path).error == .doubleEncoding, "\(path)")
    }
    #expect(Normal("/a%2f%252f").oddities == [.encodedSlash, .twiceEncodedSlash])
    #expect(Normal("/a%2f%252f..").error == .encodedSlash)
    #expect(Normal("/a//b").oddities == .emptySegments)
    #expect(Normal("/a/../b//").oddities == [.dotSegments, .emptySegments])
  }

  @Test("A trailing slash is distinguished from none, and an empty query from none")
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
      if !once.isReread { Issue.record("\(raw) → \(once.text) → \(Normal(once.text))") }
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
      if once.error == nil { #expect(once.isReread) }
    }
    #expect(Set(TargetError.allCases.map(\.rawValue)).count == TargetError.allCases.count)
  }
}
