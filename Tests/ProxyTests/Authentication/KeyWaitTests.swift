// Requests whose token names an unknown key: they wait together, for one look at the issuer, and each way out of the
// wait is taken.

import Testing
import Tokens

@testable import Proxy

@Suite("Waiting for keys")
struct KeyWaitTests {
  let old: BenchIssuer
  let new: BenchIssuer

  init() throws {
    old = try BenchIssuer(keyID: "old")
    new = try BenchIssuer(keyID: "new")
  }

  private var text: String { "routes: [{ path: /*, auth: login, upstream: app }]\n" + old.section }

  private func bench() throws -> Bench { try Bench(text, keySets: [old.keySet()]) }

  private func bearer(_ token: String) -> String { "Authorization: Bearer \(token)" }

  @Test("A request waits for its key with its body, and goes on when the key is there")
  func refreshed() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(head("POST / HTTP/1.1", "Host: h", "Content-Length: 4", bearer(try new.token())) + "da")
    client.send("ta" + get("/next", bearer(try old.token())))
    #expect(bench.refreshedIssuers == [0] && bench.servers.isEmpty && client.bytes.isEmpty)
    let keySet = try new.keySet()
    bench.act { $0.install(keySet, issuer: 0) }
    #expect(bench.servers.isEmpty)
    try bench.answer(.keys(haveChanged: false))
    #expect(try body(of: bench.server().text) == "data")
    try bench.server().send(ok("one"))
    #expect(client.text.contains("one"))
    // The old key is gone, which is worth a look of its own.
    #expect(bench.refreshedIssuers == [0, 0])
    _ = client.take()
    try bench.answer(.keys(haveChanged: true))
    #expect(code(client.text) == "key_unknown")
    bench.expectNothingHeld()
  }

  @Test("T21 T100 Many unknown keys cause three looks and one in ten seconds, and the others are refused at once")
  func storm() throws {
    let bench = try bench()
    let waiting = try (0..<20).map { number in
      let client = bench.connect()
      client.send(get("/", bearer(try old.token(keyID: "random-\(number)"))))
      return client
    }
    #expect(bench.refreshedIssuers == [0] && waiting.allSatisfy { $0.bytes.isEmpty })
    try bench.answer(.keys(haveChanged: false))
    #expect(waiting.allSatisfy { code($0.text) == "key_unknown" && status($0.text) == 401 && !$0.isGone })
    for look in 2...3 {
      _ = waiting[0].take()
      waiting[0].send(get("/", bearer(try new.token())))
      #expect(waiting[0].bytes.isEmpty && bench.refreshedIssuers.count == look)
      try bench.answer(.keys(haveChanged: false))
      #expect(code(waiting[0].text) == "key_unknown")
    }
    _ = waiting[0].take()
    waiting[0].send(get("/", bearer(try new.token())))
    #expect(code(waiting[0].text) == "key_unknown" && bench.refreshedIssuers.count == 3)
    bench.wait(.seconds(10))
    waiting[1].send(get("/", bearer(try new.token())))
    #expect(bench.refreshedIssuers.count == 4)
    waiting[2].send(get("/", bearer(try old.token(keyID: "random-x"))))
    try bench.answer(.keys(haveChanged: false))
    waiting[3].send(get("/", bearer(try new.token())))
    #expect(code(waiting[3].text) == "key_unknown" && bench.refreshedIssuers.count == 4)
    bench.expectNothingHeld()
  }

  @Test("A request waits no longer than a second, is refused then and counted as such")
  func timedOut() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", bearer(try new.token())))
    bench.wait(.milliseconds(800))
    #expect(client.bytes.isEmpty)
    // Deadlines are looked at every tenth of a second, and the next look might come after the second is over.
    bench.wait(.milliseconds(150))
    #expect(code(client.text) == "key_unknown")
    #expect(refusals(bench) == 1)
    try bench.answer(.keys(haveChanged: false))
    #expect(bench.logLines.count == 1 && !client.isGone)
    bench.expectNothingHeld()
  }

  private func refusals(_ bench: Bench) -> UInt64 {
    bench.worker.counters.copy().authenticationCounts.reduce(0) {
      $0 + ($1.result == .refused(.keyUnknown) ? $1.count : 0)
    }
  }

  @Test("A client that goes while it waits leaves nothing", arguments: [true, false])
  func clientLost(_ isReset: Bool) throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/", bearer(try new.token())))
    if isReset { client.reset() } else { client.end() }
    #expect(isReset || client.isGone)
    try bench.answer(.keys(haveChanged: false))
    #expect(bench.servers.isEmpty && bench.logLines.count == 1)
    bench.expectNothingHeld()
  }

  @Test("A reload answers the waiting requests, which go on as they were routed, with the keys of now")
  func reloaded() throws {
    let bench = try bench()
    let client = bench.connect()
    client.send(get("/x", bearer(try new.token())))
    try bench.reload(
      "routes: [{ path: /x, auth: login, upstream: app, rewrite: { add_prefix: /v2 } }]\n" + new.section,
      keySets: [new.keySet()])
    #expect(try lines(of: bench.server().text)[0] == "GET /x HTTP/1.1")
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    client.send(get("/x", bearer(try old.token())))
    #expect(bench.refreshedIssuers == [0, 0])
    try bench.reload(
      "routes: [{ path: /y, name: y, auth: public, upstream: app, response_headers: { set: { A: b } } }]")
    #expect(code(client.text) == "issuer_unknown" && values("A", in: client.text).isEmpty)
    #expect(bench.logLines.last?.contains("login") == true)
    bench.expectNothingHeld()
  }

  @Test("A request that a reload finds waiting for keys pays its rate limit once")
  func paidOnce() throws {
    func text(_ issuer: BenchIssuer) -> String {
      "routes: [{ path: /*, auth: login, upstream: app, rate_limit: { requests: 2, per: 1h } }]\n" + issuer.section
    }
    let bench = try Bench(text(old), keySets: [old.keySet()])
    let client = bench.connect()
    client.send(get("/", bearer(try new.token())))
    #expect(bench.refreshedIssuers == [0])
    try bench.reload(text(new), keySets: [new.keySet()])
    try bench.server().send(ok())
    #expect(status(client.take()) == 200)
    for expected in [200, 429] {
      client.send(get("/", bearer(try new.token())))
      if expected == 200 { try bench.server().send(ok()) }
      #expect(status(client.take()) == expected)
    }
    bench.expectNothingHeld()
  }

  @Test("T22 A token without a kid causes no look at the issuer")
  func withoutKeyID() throws {
    let bench = try bench()
    let client = bench.connect()
    let good = try old.token().split(separator: ".")
    let header = String(decoding: Base64URL.encode(Array("{\"alg\":\"EdDSA\"}".utf8).span), as: UTF8.self)
    client.send(get("/", bearer("\(header).\(good[1]).\(good[2])")))
    #expect(status(client.text) == 401 && bench.refreshedIssuers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("Without any keys the answer is 503 at once, and it heals")
  func noKeys() throws {
    let bench = try Bench(text)
    let client = bench.connect()
    client.send(get("/", bearer(try old.token())))
    #expect(code(client.text) == "keys_unavailable" && status(client.text) == 503)
    #expect(values("Retry-After", in: client.take()) == ["5"])
    let keySet = try old.keySet()
    bench.act { $0.install(keySet, issuer: 0) }
    client.send(get("/", bearer(try old.token())))
    try bench.server().send(ok())
    #expect(status(client.text) == 200)
    bench.expectNothingHeld()
  }
}
