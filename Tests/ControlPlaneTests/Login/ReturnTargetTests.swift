// Where a login may lead.

import Testing

@testable import ControlPlane

@Suite("Return to where a login began")
struct ReturnTargetTests {
  @Test(
    "Paths of this host are taken as they are",
    arguments: [
      "/", "/a", "/a/b?x=1&y=//h", "/a//b", "/?next=https://h/", "/a#b", "/a%2Fb", "/.well-known/x", "/...", "/a:b",
    ]
  )
  func paths(_ text: String) { #expect(ReturnTarget.checked(text) == text) }

  @Test(
    "T107 Nothing that a browser may read as another place is taken",
    arguments: [
      "", "a", "//h", "///h", "/\\h", "\\\\h", "https://h", "https:h", "https:/h", "javascript:alert(1)", "/\t/h",
      "\t//h",
      " //h", "/ /h", "/a\r\nSet-Cookie: a=b", "/a\u{0}", "/é", "/%2Fh", "/%2fh", "/%5Ch", "/./h", "/.//h",
      "/a/../..//h",
      "/a/%2e%2E/b", "/.%2e//h", "%2F%2Fh", "?a=b", "#a", "/" + String(repeating: "a", count: 1024),
    ])
  func others(_ text: String) { #expect(ReturnTarget.checked(text) == nil) }

  @Test("No text is no place") func nothing() { #expect(ReturnTarget.checked(nil) == nil) }
}
