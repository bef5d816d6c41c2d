// API keys in the running gateway: the command that makes them, the file that is watched, and many of them.

import Foundation
import TestSupport
import Testing

@Suite("API keys, running", .timeLimit(.minutes(10)))
struct RunningAPIKeyTests {
  private static let rules = """
    api_keys: { partners: { file: keys.yaml } }
    routes:
      - { path: /, auth: { api_keys: [partners], scopes: [read] }, respond: { status: 204 } }
    """

  /// A new key and its entry.
  private func make(_ arguments: String...) async throws -> (key: String, entry: String) {
    let ran = try await GatewayProcess.run(["key", "new"] + arguments)
    #expect(ran.status == 0, "\(ran)")
    let lines = ran.standardOutput.split(separator: "\n").filter { !$0.hasPrefix("#") }
    return (String(try #require(lines.first)), String(try #require(lines.last)))
  }

  /// Until so many keys count. The test's own limit ends it.
  private func expect(_ count: Double, of gateway: GatewayProcess) async throws {
    _ = try await gateway.waitForMetrics("\(count) keys") { $0.sum("catraca_api_keys", ["set": "partners"]) == count }
  }

  @Test("A key of the command passes, and one that is added to the file or taken out counts without a reload")
  func watched() async throws {
    let (first, firstEntry) = try await make("--id", "acme", "--scope", "read")
    let (second, secondEntry) = try await make("--id", "acme", "--scope", "read", "--expires", "2099-01-31")
    let gateway = try await GatewayProcess.start(Self.rules, files: ["keys.yaml": firstEntry + "\n"])
    #expect(try await gateway.get("/", ["X-Api-Key: \(first)"]).status == 204)
    #expect(try await gateway.get("/", ["X-Api-Key: \(second)"]).status == 401)
    try gateway.write(file: "keys.yaml", "\(firstEntry)\n\(secondEntry)\n")
    try await expect(2, of: gateway)
    #expect(try await gateway.get("/", ["X-Api-Key: \(second)"]).status == 204)
    #expect(try await gateway.get("/", ["X-Api-Key: \(first)"]).status == 204)
    // A mistake changes nothing, and the log has its line.
    try gateway.write(file: "keys.yaml", "\(secondEntry)\n- { id: x, hash: nonsense }\n")
    _ = try await gateway.waitForLog("the mistake") { $0.contains("keys.yaml:2:18") }
    #expect(try await gateway.get("/", ["X-Api-Key: \(first)"]).status == 204)
    try gateway.write(file: "keys.yaml", secondEntry + "\n")
    try await expect(1, of: gateway)
    #expect(try await gateway.get("/", ["X-Api-Key: \(first)"]).status == 401)
    #expect(try await gateway.get("/", ["X-Api-Key: \(second)"]).status == 204)
  }

  @Test("T104: A key is in no log, no answer and no request that goes on, in whichever place it was sent")
  func secrecy() async throws {
    let (key, entry) = try await make("--id", "acme")
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      log: { level: debug }
      api_keys: { partners: { file: keys.yaml, from: [header:X-Api-Key, "query:key", basic] } }
      upstreams: { app: { servers: ["\(upstream.address)"] } }
      routes:
        - { path: /*, auth: { api_keys: [partners] }, upstream: app }
      """, files: ["keys.yaml": entry + "\n"])
    let basic = Data("acme:\(key)".utf8).base64EncodedString()
    let wrong = String(key.dropLast()) + (key.hasSuffix("A") ? "B" : "A")
    for key in [key, wrong] {
      for (path, fields) in [
        ("/a", ["X-Api-Key: \(key)"]), ("/a?key=\(key)&b=1", ["Referer: http://h/x?key=\(key)"]),
        ("/a", ["Authorization: Basic \(Data("acme:\(key)".utf8).base64EncodedString())"]),
        ("/a", ["X-Api-Key: \(key)", "X-API-KEY: \(key)"]),
      ] {
        let response = try await gateway.get(path, fields)
        #expect(!response.text.contains(key.prefix(20)) && !response.text.contains(basic.prefix(20)))
      }
    }
    let pages = [try await gateway.admin("/metrics").text, try await gateway.admin("/status").text]
    let log = (gateway.accessLog + gateway.standardError + pages).joined(separator: "\n")
    #expect(!log.contains(key.prefix(20)) && !log.contains(basic.prefix(20)))
  }

  @Test("Twenty thousand keys are read in pieces, and a mistake among them has its line")
  func many() async throws {
    var lines = (0..<20_000).map { number in
      "- { id: client-\(number), hash: \"sha256:\(String(repeating: "0", count: 59))\(String(format: "%05x", number))\", "
        + "scopes: [read] }"
    }
    let good = try await GatewayProcess.run(
      ["check", "gateway.conf"], configuration: "listeners: [{ address: unix:/tmp/catraca-check.sock }]\n" + Self.rules,
      files: ["keys.yaml": lines.joined(separator: "\n")])
    #expect(good.status == 0, "\(good)")
    lines[17_776] = "- { id: client, hash: nonsense }"
    let bad = try await GatewayProcess.run(
      ["check", "gateway.conf"], configuration: "listeners: [{ address: unix:/tmp/catraca-check.sock }]\n" + Self.rules,
      files: ["keys.yaml": lines.joined(separator: "\n")])
    #expect(bad.status == 1 && bad.standardError.contains("keys.yaml:17777:23"), "\(bad)")
  }
}
