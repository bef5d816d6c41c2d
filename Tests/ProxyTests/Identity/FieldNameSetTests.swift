// Which names a set finds: none may slip by because of how it is spelled.

import HTTPWire
import Testing

@testable import Proxy

@Suite("Field name sets")
struct FieldNameSetTests {
  private func contains(_ set: FieldNameSet, _ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return set.contains(bytes.span, hash: foldedHash(of: bytes.span))
  }

  @Test("Names and prefixes are found in every spelling, and nothing else is")
  func spellings() {
    let set = FieldNameSet(["X-User", "x-auth-*", "_own-*", "Via"])
    let found = [
      "X-User", "x_user", "X.USER", "via", "VIA", "x-auth-", "X-Auth-Me", "x_auth.me", "_own-a", "-own_a", ".OWN.a",
      "X~User", "x!auth!me", "~own-a", "*own`a",
    ]
    for name in found { #expect(contains(set, name), "\(name)") }
    let others = ["X-Users", "X-Use", "x-aut", "xauth-me", "own-a", "a-own-", "vib", "host", "-"]
    for name in others { #expect(!contains(set, name), "\(name)") }
  }

  @Test("A set of many names finds each, and the empty set none")
  func many() {
    let names = (0..<500).map { "X-Field-\($0)" }
    let set = FieldNameSet(names)
    for name in names { #expect(contains(set, name.uppercased())) }
    for number in 500..<1000 { #expect(!contains(set, "X-Field-\(number)")) }
    #expect(!set.isEmpty && FieldNameSet([]).isEmpty && !contains(FieldNameSet([]), "host"))
    #expect(contains(FieldNameSet(["*"]), "anything"))
  }
}
