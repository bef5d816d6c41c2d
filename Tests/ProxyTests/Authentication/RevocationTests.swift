// Revoked tokens in the data plane: who is looked up, when again, and what a list that is not here means.

import Testing
import Tokens

@testable import Proxy

@Suite("Revocation in a worker")
struct RevocationTests {
  private let issuer: BenchIssuer

  init() throws { issuer = try BenchIssuer() }

  private func bench(
    _ rules: String = "revocation: { denylist: /x }", route: String = "", _ lists: Revocations? = nil
  ) throws -> Bench {
    let text =
      "routes: [{ path: /*, auth: login, upstream: app\(route) }]\n"
      + issuer.section.replacing("issuer: i,", with: "issuer: i, \(rules),")
    let bench = Bench(Snapshot(try configuration(text), generation: 1), keySets: [try issuer.keySet()])
    if let lists { bench.install(lists) }
    return bench
  }

  private func lists(
    _ lines: String..., use: RevocationRules.StatusListUse = .off, unavailable: RevocationRules.Unavailable = .refuse,
    statuses: [StatusList] = []
  ) throws -> Revocations {
    var list = Denylist()
    for line in lines {
      if let entry = try DenylistEntry.read(Array(line.utf8).span) { list.insert(entry) }
    }
    return Revocations(
      RevocationRules(hasDenylist: true, statusList: use, unavailable: unavailable), denylist: list,
      statusLists: statuses)
  }

  private func ask(_ bench: Bench, _ token: String) throws -> String {
    let client = bench.connect()
    client.send(get("/", "Authorization: Bearer \(token)"))
    if client.bytes.isEmpty, let server = bench.servers.last { server.send(ok("served")) }
    defer { client.reset() }
    return client.take()
  }

  @Test("A remembered token is looked up again when a list has changed, and only then")
  func remembered() throws {
    let bench = try bench("revocation: { denylist: /x }", try lists("{\"note\":\"nobody\"}"))
    let token = try issuer.token(#","jti":"a""#)
    for _ in 0..<3 { #expect(try body(of: ask(bench, token)) == "served") }
    #expect(bench.worker.tokenCache.hits == 2)
    bench.install(try lists("{\"jti\":\"a\"}"))
    #expect(try ask(bench, token).contains("token_revoked"))
    #expect(try ask(bench, token).contains("HTTP/1.1 401"))
    #expect(bench.worker.tokenCache.hits == 4)
    bench.install(try lists("{\"jti\":\"b\"}"))
    #expect(try body(of: ask(bench, token)) == "served")
    bench.expectNothingHeld()
  }

  @Test("T103 Without a list all are 503 by default, also behind a reload, and in shadow all pass unknown")
  func unavailable() throws {
    let token = try issuer.token()
    let bench = try bench()
    #expect(try ask(bench, token).contains("revocation_unavailable"))
    let passing = try self.bench("revocation: { denylist: /x, unavailable: pass }")
    #expect(try body(of: ask(passing, token)) == "served")
    let shadow = try self.bench("mode: shadow, revocation: { denylist: /x }")
    #expect(try body(of: ask(shadow, token)) == "served")
    bench.install(try lists("{\"note\":\"nobody\"}"))
    #expect(try body(of: ask(bench, token)) == "served")
    bench.reload(bench.snapshot.configuration, keySets: [try issuer.keySet()])
    #expect(try ask(bench, token).contains("revocation_unavailable"))
  }

  @Test("A token whose status list is unknown waits for one question with others, and is checked once more")
  func unknownList() throws {
    let rules = "revocation: { status_list: true, status_list_hosts: [h] }"
    let bench = try bench(rules)
    let token = try issuer.token(#","status":{"status_list":{"idx":1,"uri":"https://h/1"}}"#)
    let clients = [bench.connect(), bench.connect()]
    for client in clients { client.send(get("/", "Authorization: Bearer \(token)")) }
    #expect(bench.asked.count == 1 && bench.asked[0].credential == Array("https://h/1".utf8))
    #expect(clients.allSatisfy { $0.bytes.isEmpty })
    try bench.answer(.statusList)
    for client in clients { #expect(client.take().contains("revocation_unavailable")) }
    for client in clients { client.reset() }
    // The same without an answer in time.
    let late = bench.connect()
    late.send(get("/", "Authorization: Bearer \(token)"))
    bench.wait(.seconds(1))
    #expect(late.take().contains("revocation_unavailable"))
  }
}

extension Bench {
  func install(_ lists: Revocations) { act { $0.install(lists, issuer: 0, at: now) } }
}
