// What an upstream learns about the client and the way to it: Via, X-Forwarded-*, Forwarded (RFC 7239), X-Request-Id
// and traceparent.

import TestSupport
import Testing

@Suite("Forwarding fields")
struct ForwardingTests {
  private static let claims = [
    "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example",
    "Forwarded: for=203.0.113.9;proto=https", "Via: 1.1 edge",
  ]

  @Test("An untrusted client's word about itself is replaced")
  func untrusted() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    _ = try await gateway.get(
      "/", Self.claims + ["X_Forwarded_For: 203.0.113.9", "X-Original-URL: /admin", "X-Real-IP: 203.0.113.9"])
    let request = upstream.requests[0]
    #expect(request.values(of: "X-Forwarded-For") == ["127.0.0.1"])
    #expect(request.values(of: "X-Forwarded-Proto") == ["http"])
    #expect(request.values(of: "X-Forwarded-Host") == ["test"])
    #expect(request.values(of: "Forwarded").isEmpty)
    #expect(request.values(of: "X_Forwarded_For").isEmpty)
    #expect(request.values(of: "X-Original-URL").isEmpty)
    #expect(request.values(of: "Via") == ["1.1 edge", "1.1 catraca"])
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"client_ip\":\"127.0.0.1\""))
  }

  @Test("A trusted peer's word is kept and extended")
  func trusted() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]"))
    _ = try await gateway.get("/", Self.claims + ["X-Forwarded-For: 10.1.2.3"])
    let request = upstream.requests[0]
    #expect(request.values(of: "X-Forwarded-For") == ["203.0.113.9, 10.1.2.3, 127.0.0.1"])
    #expect(request.values(of: "X-Forwarded-Proto") == ["https"])
    #expect(request.values(of: "X-Forwarded-Host") == ["shop.example"])
    #expect(request.values(of: "Forwarded") == ["for=203.0.113.9;proto=https, for=127.0.0.1;proto=http"])
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"client_ip\":\"203.0.113.9\""))
  }

  @Test("An IPv6 client's address is written as each field requires")
  func version6() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      Configurations.plain(upstream, top: "listeners: [{ address: \"[::1]:0\" }]\ntrusted_proxies: [\"::1\"]"))
    let client = try await RawClient.connect(port: gateway.port, host: "::1")
    _ = try await client.get("/", ["Forwarded: for=\"[2001:db8::1]\"", "X-Forwarded-For: 2001:db8::1"])
    let request = upstream.requests[0]
    #expect(request.values(of: "X-Forwarded-For") == ["2001:db8::1, ::1"])
    #expect(request.values(of: "Forwarded") == ["for=\"[2001:db8::1]\", for=\"[::1]\";proto=http"])
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"client_ip\":\"2001:db8::1\""))
  }

  @Test("A trusted peer that says nothing is the client")
  func trustedAndSilent() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, top: "trusted_proxies: [127.0.0.1]"))
    _ = try await gateway.get("/")
    let request = upstream.requests[0]
    #expect(request.values(of: "X-Forwarded-For") == ["127.0.0.1"])
    #expect(request.values(of: "X-Forwarded-Proto") == ["http"])
    #expect(request.values(of: "X-Forwarded-Host") == ["test"])
  }

  @Test("A plain X-Request-Id is kept, any other is replaced, and the access log has the same one")
  func requestID() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let sent: [[String]] = [
      ["X-Request-Id: abc-123_4.5"], [], ["X-Request-Id: has space"], ["X-Request-Id: a\"b"],
      ["X-Request-Id: \(String(repeating: "a", count: 129))"], ["X-Request-Id: a", "X-Request-Id: b"],
    ]
    for fields in sent { #expect(try await client.get("/", fields).status == 200) }
    let ids = try upstream.requests.map { try #require($0["X-Request-Id"]) }
    #expect(ids[0] == "abc-123_4.5")
    for id in ids.dropFirst() {
      #expect(id.count == 32 && id.allSatisfy(\.isHexDigit), "\(id)")
    }
    #expect(Set(ids).count == ids.count)
    let lines = try await gateway.waitForAccessLog(sent.count)
    for (line, id) in zip(lines, ids) { #expect(line.contains("\"request_id\":\"\(id)\"")) }
  }

  @Test("A well-formed traceparent passes with its tracestate. Anything else starts a new trace")
  func traceContext() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream))
    let client = try await gateway.connect()
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    _ = try await client.get("/", ["traceparent: \(good)", "tracestate: vendor=1"])
    #expect(upstream.requests[0].values(of: "traceparent") == [good])
    #expect(upstream.requests[0].values(of: "tracestate") == ["vendor=1"])
    let bad = [
      "00-00000000000000000000000000000000-b7ad6b7169203331-01",
      "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
      "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "x",
    ]
    for value in bad { _ = try await client.get("/", ["traceparent: \(value)", "tracestate: vendor=1"]) }
    for request in upstream.requests.dropFirst() {
      let made = try #require(request["traceparent"])
      let parts = made.split(separator: "-").map(String.init)
      #expect(parts.map(\.count) == [2, 32, 16, 2], "\(made)")
      #expect(!bad.contains(made))
      #expect(request.values(of: "tracestate").isEmpty)
    }
    #expect(try await gateway.waitForAccessLog(1)[0].contains("\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""))
  }
}
