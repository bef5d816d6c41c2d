// HTTP/2 as curl, nghttp and h2load speak it, over TLS and in clear, with an HTTP/2 server behind.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("HTTP/2 with programs of others", .needs("curl"), .needs("nghttp"), .needs("h2load"), .timeLimit(.minutes(10)))
struct HTTP2ToolTests {
  @Test("curl: one token is verified once whatever it comes over, and identity and log are the same", .tags(.slow))
  func sameEverywhere() async throws {
    let key = try TestKey(.es256)
    let door = try await HTTP2Door.start(key, upstream: try await TestUpstream.echo())
    let token = TokenDoor.token(key, ["sub": "alice"])
    for way in HTTP2Door.Way.allCases {
      let seen = try await door.curl(
        way, "/door", ["-H", "Authorization: Bearer \(token)", "-H", "X-User: mallory", "-w", "[%{http_version}]"])
      #expect(seen.hasSuffix("[\(way.version)]"))
      #expect(seen.lowercased().components(separatedBy: "x-user: ").count == 2 && seen.contains("alice"), "\(seen)")
      let refused = try await door.curl(way, "/door", ["-w", "[%{http_code}]"])
      #expect(refused.hasSuffix("[401]") && refused.contains("token_missing"))
    }
    let log = try await door.front.waitForAccessLog(8)
    #expect(log.count { $0.contains("\"protocol\":\"HTTP/2\"") } == 4)
    #expect(log.allSatisfy { !$0.contains(token) })
    #expect(log.count { $0.contains("\"sub\":\"alice\"") || $0.contains("alice") } == 4)
    let metrics = try await door.front.metrics()
    #expect(metrics.sum("catraca_auth_total", ["result": "accepted"]) == 4)
    #expect(door.upstream.requests.count == 4 && door.upstream.connections.count == 1)
  }

  @Test("curl: uploads and downloads of some MiB arrive whole in every mix", .tags(.slow))
  func largeBodies() async throws {
    let byteCount = 3_000_000
    let upstream = try await TestUpstream.start { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(latin1(request.body), to: request)
      }
    }
    let door = try await HTTP2Door.start(upstream: upstream)
    let folder = try TemporaryFolder()
    try folder.write("up", Data((0..<byteCount).map { UInt8(97 + ($0 * 7 >> 5) % 26) }))
    let up = folder.url.appending(path: "up").path
    for way in HTTP2Door.Way.allCases {
      for path in ["/near/x", "/far/x"] {
        let down = folder.url.appending(path: "down").path
        _ = try await door.curl(way, path, ["-T", up, "-o", down])
        #expect(FileManager.default.contentsEqual(atPath: up, andPath: down), "\(way) \(path)")
      }
    }
  }

  @Test("nghttp: many requests on one connection, with a body and trailers")
  func nghttp() async throws {
    let door = try await HTTP2Door.start(upstream: try await TestUpstream.echo())
    let folder = try TemporaryFolder()
    try folder.write("body", Data("hello".utf8))
    let result = try await ChildProcess.run(
      "nghttp",
      [
        "-d", folder.url.appending(path: "body").path, "-H", "te: trailers", "--no-content-length", "--trailer",
        "x-sum: 7",
      ]
        + (0..<5).flatMap { ["\(door.clear)/near/\($0)", "\(door.clear)/far/\($0)"] })
    #expect(result.status == 0, "\(result.standardError)")
    for number in 0..<5 {
      #expect(
        result.standardOutput.contains("POST /near/\(number) ")
          && result.standardOutput.contains("POST /far/\(number) "))
    }
    let requests = door.upstream.requests
    #expect(requests.count == 10 && requests.allSatisfy { latin1($0.body) == "hello" })
    #expect(requests.allSatisfy { $0.trailers.contains { $0.name.lowercased() == "x-sum" } })
    try await door.front.waitForMetrics("no client connection left") {
      $0.sum("catraca_connections") == 0
    }
  }

  private func h2load(_ arguments: [String], _ target: String) throws -> ChildProcess {
    try ChildProcess.start("/usr/bin/env", ["h2load"] + arguments + [target])
  }

  /// The numbers of `requests: 10 total, 10 started, …` by their names.
  private func counts(_ output: String) -> [String: Int] {
    var result: [String: Int] = [:]
    for line in output.split(separator: "\n") where line.hasPrefix("requests:") || line.hasPrefix("status codes:") {
      for part in line.split(separator: ":").last?.split(separator: ",") ?? [] {
        let words = part.split(separator: " ")
        if words.count == 2, let number = Int(words[0]) { result[String(words[1])] = number }
      }
    }
    return result
  }

  @Test("h2load: reloads while it runs cost no request", .tags(.slow), arguments: ["/near/x", "/far/x"])
  func reloads(_ path: String) async throws {
    let door = try await HTTP2Door.start(upstream: try await TestUpstream.answering("ok"))
    let load = try h2load(["-n", "4000", "-c", "4", "-m", "16"], door.clear + path)
    repeat { #expect(try await door.front.reload().status == 200) } while load.output.current.status == nil
    let result = try await load.finish()
    let counts = counts(result.standardOutput)
    #expect(counts["succeeded"] == 4000 && counts["2xx"] == 4000 && counts["failed"] == 0, "\(result)")
  }

  @Test(
    "h2load: a drain while it runs answers every request that was begun", .tags(.slow), arguments: ["/fixed", "/far/x"])
  func drain(_ path: String) async throws {
    let door = try await HTTP2Door.start(upstream: try await TestUpstream.answering("ok"))
    let load = try h2load(["-n", "5000000", "-c", "4", "-m", "16"], door.clear + path)
    try await door.front.waitForMetrics("some requests") { $0.sum("catraca_requests_total") > 200 }
    door.front.terminate()
    #expect(try await door.front.waitForExit() == 0)
    let result = try await load.finish()
    let counts = counts(result.standardOutput)
    #expect(try #require(counts["started"]) > 200)
    // What h2load had begun when it heard of the end, but not sent, it counts as started as well.
    let log = door.front.accessLog
    #expect(log.allSatisfy { $0.contains("\"status\":200") && !$0.contains("\"reason\"") })
    #expect(counts["succeeded"] == log.count && counts["2xx"] == log.count, "\(log.count) in the log, \(result)")
  }

  @Test(
    "Each event of a stream of events reaches the client when it comes", arguments: HTTP2Door.Way.allCases,
    ["/near/x", "/far/x"])
  func events(_ way: HTTP2Door.Way, _ path: String) async throws {
    let seenCount = Monitor(0)
    let upstream = try await TestUpstream.start { connection in
      _ = try await connection.receiveRequest()
      try await connection.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
      for number in 1...5 {
        let event = "data: \(number)\n\n"
        try await connection.send("\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n")
        // The next one comes only once the client has this one.
        try await seenCount.wait(for: "event \(number)") { $0 >= number ? () : nil }
      }
      try await connection.send("0\r\n\r\n")
    }
    let door = try await HTTP2Door.start(upstream: upstream)
    let curl = try ChildProcess.start(
      "/usr/bin/env",
      ["curl", "-sSN", "--noproxy", "*", "--cacert", door.authority] + door.resolve + way.flags
        + [(way.isSecure ? door.secure : door.clear) + path])
    for number in 1...5 {
      try await curl.output.wait(for: "event \(number)") { $0.standardOutput.contains("data: \(number)") ? () : nil }
      seenCount.update { $0 = number }
    }
    #expect(try await curl.finish().status == 0)
    #expect(upstream.failures.isEmpty)
  }
}
