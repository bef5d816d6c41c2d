// Where requests go, through the running gateway: by each policy, by cookie with curl, and by the shares of a route.

import Foundation
import TestSupport
import Testing

@Suite("Choice of servers and upstreams")
struct StickyTests {
  private static func servers(_ count: Int) async throws -> [TestUpstream] {
    var servers: [TestUpstream] = []
    for number in 0..<count { servers.append(try await TestUpstream.answering("\(number)")) }
    return servers
  }

  private static func list(_ servers: [TestUpstream]) -> String {
    servers.map { "\"\($0.address)\"" }.joined(separator: ", ")
  }

  private static func configuration(_ servers: [TestUpstream], _ keys: String) -> String {
    """
    upstreams: { app: { servers: [\(list(servers))], \(keys) } }
    routes: [{ path: "/*", auth: public, upstream: app }]
    """
  }

  @Test(
    "Each policy uses all servers, and goes on over a reload to another one",
    arguments: ["round_robin", "least_requests", "random_two", "hash, hash_on: header:X-Caller"])
  func policies(policy: String) async throws {
    let servers = try await Self.servers(3)
    let gateway = try await GatewayProcess.start(Self.configuration(servers, "balance: \(policy)"))
    let client = try await gateway.connect()
    var counts: [String: Int] = [:]
    for number in 0..<60 {
      counts[try await client.get("/", ["X-Caller: \(number)"]).text, default: 0] += 1
    }
    #expect(counts.count == 3, "\(counts)")
    #expect(counts.values.allSatisfy { $0 >= 5 }, "\(counts)")
    try gateway.write(configuration: Self.configuration(servers, "balance: hash, hash_on: header:X-Caller"))
    #expect(try await gateway.reload().status == 200)
    var callers: [Set<String>] = []
    for number in 0..<10 {
      var found: Set<String> = []
      for _ in 0..<3 { found.insert(try await client.get("/", ["X-Caller: \(number)"]).text) }
      callers.append(found)
    }
    #expect(callers.allSatisfy { $0.count == 1 })
    #expect(Set(callers).count > 1)
    // The reload took no connection away.
    #expect(servers.allSatisfy { $0.connections.count <= 2 })
  }

  @Test(
    "curl keeps its cookie and its server, over HTTP/1.1 and HTTP/2, and after a restart",
    arguments: ["--http1.1", "--http2-prior-knowledge"])
  func curl(version: String) async throws {
    let servers = try await Self.servers(4)
    let text = Self.configuration(servers, "sticky: { cookie: SERVER }")
    let jar = FileManager.default.temporaryDirectory.appending(path: "catraca-cookies-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: jar) }
    var found: Set<String> = []
    for _ in 0..<2 {
      let gateway = try await GatewayProcess.start(text)
      for _ in 0..<5 {
        let answer = try await ChildProcess.run(
          "curl", ["-s", version, "-b", jar.path, "-c", jar.path, "http://127.0.0.1:\(gateway.port)/"])
        found.insert(answer.standardOutput)
      }
    }
    #expect(found.count == 1)
    #expect(found != [""])
    #expect(try String(contentsOf: jar, encoding: .utf8).contains("SERVER"))
    #expect(try String(contentsOf: jar, encoding: .utf8).contains("#HttpOnly_127.0.0.1"))
    let seen = servers.flatMap(\.requests)
    #expect(seen.count == 10)
    #expect(seen.allSatisfy { $0["Cookie"] == nil })
  }

  @Test("Over TLS the cookie is Secure, and what sets it is private")
  func secure() async throws {
    let server = try await TestUpstream.answering("x")
    let gateway = try await SecureGateway.start(rest: Self.configuration([server], "sticky: { cookie: SERVER }"))
    let client = try await gateway.connect()
    let response = try await client.get("/")
    let cookie = try #require(response["Set-Cookie"])
    #expect(cookie.hasPrefix("SERVER="))
    #expect(cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure"))
    #expect(response["Cache-Control"] == "private")
    let value = cookie.prefix { $0 != ";" }
    #expect(try await client.get("/", ["Cookie: \(value)"])["Set-Cookie"] == nil)
  }

  @Test("The cookie is Secure where a trusted proxy says that the client speaks TLS, and nobody else's word counts")
  func secureBehindProxy() async throws {
    let server = try await TestUpstream.answering("x")
    let configuration = Self.configuration([server], "sticky: { cookie: SERVER }")
    let trusting = try await GatewayProcess.start("trusted_proxies: [127.0.0.1]\n" + configuration)
    let wary = try await GatewayProcess.start(configuration)
    let words: [([String], Bool)] = [
      (["X-Forwarded-Proto: https"], true), (["X-Forwarded-Proto: HTTPS"], true), (["X-Forwarded-Proto: http"], false),
      (["X-Forwarded-Proto: http, https"], false), (["X-Forwarded-Proto: https", "X-Forwarded-Proto: https"], false),
      ([], false),
    ]
    for (fields, isSecure) in words {
      for version in ["HTTP/1.1", "HTTP/1.0"] {
        let request = (["GET / \(version)", "Host: test"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
        let cookie = try #require(try await trusting.exchange(request)["Set-Cookie"])
        #expect(cookie.hasSuffix("; Secure") == isSecure, "\(fields)")
        #expect(try await wary.exchange(request)["Set-Cookie"]?.hasSuffix("SameSite=Lax") == true, "\(fields)")
      }
    }
  }

  @Test("A canary gets its share, and each caller stays on one side")
  func canary() async throws {
    let servers = try await Self.servers(2)
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { app: { servers: ["\(servers[0].address)"] }, canary: { servers: ["\(servers[1].address)"] } }
      routes:
        - { path: /chance, auth: public, upstreams: [{ name: app, weight: 3 }, { name: canary }] }
        - path: /caller
          auth: public
          upstreams: [{ name: app, weight: 3 }, { name: canary }]
          split_on: cookie:id
      """)
    let client = try await gateway.connect()
    var count = 0
    for _ in 0..<400 where try await client.get("/chance").text == "1" { count += 1 }
    #expect(abs(count - 100) < 50)
    var sides: Set<String> = []
    for caller in 0..<40 {
      let side = try await client.get("/caller", ["Cookie: id=\(caller)"]).text
      #expect(try await client.get("/caller", ["Cookie: id=\(caller)"]).text == side)
      sides.insert(side)
    }
    #expect(sides == ["0", "1"])
    let line = try await gateway.waitForAccessLog(1)[0]
    #expect(line.contains("\"upstream\":\"app\"") || line.contains("\"upstream\":\"canary\""))
  }
}
