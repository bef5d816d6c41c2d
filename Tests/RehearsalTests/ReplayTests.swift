// `catraca replay`: what the lines of an access log become with another file.

import Configuration
import Rehearsal
import Testing

@Suite("Replayed logs")
struct ReplayTests {
  private static let routes = """
    routes:
      - { path: /orders/*, name: orders, auth: { issuers: [login], scopes: [read], claims: { org.id: [1, 2] } }, upstream: orders }
      - { path: /open/*, name: open, auth: public, upstream: orders }
      - { path: /maybe, name: maybe, auth: { issuers: [login], optional: true }, upstream: orders }

    """

  private func replay(_ lines: [String], _ routes: String = Self.routes) throws -> Replay {
    var replay = Replay(try configuration(routes), unixSeconds: now)
    for line in lines { replay.take(Array(line.utf8)) }
    return replay
  }

  private func line(_ path: String, _ route: String?, _ more: String = "") -> String {
    let route = route.map { ",\"route\":\"\($0)\"" } ?? ""
    return
      "{\"method\":\"GET\",\"host\":\"x\",\"path\":\"\(path)\",\"client_ip\":\"192.0.2.9\",\"status\":200\(route)\(more)}"
  }

  private static let ada = ",\"issuer\":\"login\",\"sub\":\"ada\",\"auth_kind\":\"token\""

  @Test("With the file that was served, nothing changes: passed, refused for a token, refused by a service, not found")
  func same() throws {
    let found = try replay([
      line("/orders/1", "orders", Self.ada), line("/orders/1", "orders", ",\"reason\":\"token_missing\""),
      line("/orders/1", "orders", ",\"reason\":\"token_expired\",\"issuer\":\"login\""), line("/open/1", "open"),
      line("/open/1", "open", ",\"reason\":\"upstream_timeout\""),
      line("/nothing", nil, ",\"reason\":\"route_not_found\""),
      line("/orders/1", "orders", Self.ada + ",\"reason\":\"rate_limited\""), line("/maybe", "maybe"),
      line("/maybe", "maybe", Self.ada), line("/maybe", "maybe", ",\"reason\":\"token_malformed\""),
    ])
    #expect(found.changes.isEmpty, "\(found.changes)")
    #expect(found.lineCount == 10 && found.foreignCount == 0)
  }

  @Test("Another route, a token that is required now, and an issuer that is gone are counted apart, with samples")
  func otherwise() throws {
    let before =
      (0..<5).map { line("/v1/\($0)", "old", Self.ada) } + [line("/open/1", "orders"), line("/open/2", "orders")]
    let others = [
      line("/orders/1", "orders", ",\"issuer\":\"gone\",\"auth_kind\":\"token\""), line("/orders/2", "orders"),
      line("/open/3", "open", ",\"reason\":\"token_missing\""),
    ]
    let found = try replay(before + others)
    let words = found.changes.map { group in
      "\(group.count) \(group.change.routeBefore)>\(group.change.routeNow) "
        + "\(group.change.codeBefore ?? "-")>\(group.change.codeNow ?? "-") \(group.samples.map(\.line))"
    }
    #expect(
      words == [
        "5 old> ->route_not_found [1, 2, 3]", "2 orders>open ->- [6, 7]", "1 orders>orders ->issuer_unknown [8]",
        "1 orders>orders ->token_missing [9]", "1 open>open token_missing>- [10]",
      ])
  }

  @Test(
    "Lines that are cut, empty, of another format or of another program are counted and nothing else",
    arguments: [
      "", "{", "192.0.2.1 - - [x] \"GET / HTTP/1.1\" 200", "[]", "{\"method\":\"GET\"}",
      "{\"path\":\"/a b\",\"method\":\"GET\"}",
      "{\"path\":\"/a\",\"method\":\"GET / HTTP/1.1\\r\\nX: y\"}",
      "{\"path\":\"/a\",\"method\":\"GET\",\"host\":\"a\\r\\nb\"}",
      "\u{0}", String(repeating: "{\"a\":", count: 5000),
    ])
  func foreign(_ text: String) throws {
    let found = try replay([text])
    #expect(found.foreignCount == 1)
    #expect(found.changes.isEmpty)
  }
}
