// Which refusals leave the worker as notices: the first of a kind, then one a minute, with a count of the others.

import Testing
import Tokens

@testable import Proxy

@Suite("Notices of refusals")
struct RefusalNoticeTests {
  let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private var text: String {
    issuer.section + "\nroutes: [{ name: door, path: /*, auth: { issuers: [login], scopes: [x] }, upstream: app }]"
  }

  private func send(_ fields: String..., to bench: Bench) -> String {
    let client = bench.connect()
    client.send(get("/", fields.joined(separator: "\r\n")))
    defer { client.reset() }
    return code(client.text)
  }

  @Test("The first of a kind is a notice with both values and the request's id, and the others of the minute a number")
  func minute() throws {
    let bench = try Bench(text, keySets: [issuer.keySet()])
    let expired = "Authorization: Bearer \(try issuer.token(seconds: -60))"
    for number in 0..<3 { #expect(send(expired, "X-Request-Id: r\(number)", to: bench) == "token_expired") }
    let first = try #require(bench.refusalNotices.first)
    #expect(bench.refusalNotices.count == 1)
    #expect(first.refusal == .tokenExpired && first.route == "door" && first.issuer == "login")
    #expect(first.requestID == "r0" && first.leftOut == 0)
    #expect(first.detail.got == "exp 60s ago")
    bench.wait(.seconds(59))
    #expect(send(expired, to: bench) == "token_expired")
    #expect(bench.refusalNotices.count == 1)
    bench.wait(.seconds(1))
    #expect(send(expired, "X-Request-Id: later", to: bench) == "token_expired")
    #expect(bench.refusalNotices.last?.requestID == "later")
    #expect(bench.refusalNotices.last?.leftOut == 3)
    bench.expectNothingHeld()
  }

  @Test("Reasons count each for themselves, and a reload begins again")
  func kinds() throws {
    let bench = try Bench(text, keySets: [issuer.keySet()])
    let scopeless = "Authorization: Bearer \(try issuer.token(",\"scope\":\"y\""))"
    #expect(send(scopeless, to: bench) == "scope_missing")
    #expect(send("Authorization: Bearer a.b", to: bench) == "token_malformed")
    #expect(send("X: y", to: bench) == "token_missing")
    #expect(bench.refusalNotices.map(\.refusal) == [.scopeMissing, .tokenMalformed])
    #expect(bench.refusalNotices.first?.detail == RefusalDetail(expected: "x", got: "y"))
    try bench.reload(text, keySets: [issuer.keySet()])
    #expect(send(scopeless, to: bench) == "scope_missing")
    #expect(bench.refusalNotices.map(\.refusal) == [.scopeMissing, .tokenMalformed, .scopeMissing])
  }

  @Test(
    "T59 Of an Authorization without Bearer only a scheme that is known is named",
    arguments: [
      ("Basic dTpw", "the scheme Basic"), ("token s3cret", "the scheme Token"), ("s3cret", "one word without a scheme"),
      ("s3cret s3cret", "another scheme"), ("Basic", "one word without a scheme"),
    ])
  func schemes(_ value: String, _ words: String) throws {
    let bench = try Bench(text, keySets: [issuer.keySet()])
    #expect(send("Authorization: \(value)", to: bench) == "scheme_not_bearer")
    #expect(bench.refusalNotices.map(\.detail.got) == [words])
  }
}
