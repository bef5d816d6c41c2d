// Anchors and aliases: what they refer to, and that none can grow without end.

import Testing

@testable import Configuration

@Suite("Aliases", .timeLimit(.minutes(10)))
struct AliasTests {
  @Test("An alias bomb in the place of a key is an error at once, as anywhere else")
  func bombs() {
    var bomb = "a: &a0 [x, x]\n"
    for level in 1...60 { bomb += "b\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    for end in [
      "? *a60\n: x\n", "{*a60 : x}\n", "? [*a60, *a60]\n: x\n", "*a60 : x\n", "c: {? *a60 : x}\n", "c: *a60\n",
    ] {
      #expect(!World.messages(bomb + end).isEmpty, "\(end)")
      #expect(World.configuration(bomb + end) == nil)
    }
  }

  @Test("Aliases refer to what their anchors hold, as values, in lists and as keys")
  func aliases() {
    let text = """
      listeners: &l [{ address: &address "0.0.0.0:8080" }]
      limits: { &key headers: &n 50 }
      rate_limits: { a: { requests: *n, per: &per 1s } }
      routes:
        - { path: "/a/*", auth: &auth public, rate_limit: a, respond: &r { status: 200, body: "*a &b * *n" } }
        - { path: /b, auth: *auth, respond: *r }
      """
    #expect(World.messages(text) == [])
    #expect(World.configuration(text)?.limits.headers == 50)
    #expect(World.configuration(text)?.rateLimits.first?.requests == 50)
    #expect(World.messages(text.replacing("path: /b", with: "path: *nothing")).count == 1)
    #expect(World.messages(text.replacing("{ &key headers: &n 50 }", with: "{ &n headers: 50, *n : 60 }")).count == 2)
  }
}
