// gRPC through the gateway with Python's grpcio on both ends: TLS to the client, in clear or TLS to the server.

import Foundation
import TestSupport
import Testing

/// A server, a gateway before it, and clients run one after the other.
private struct CallDoor {
  let folder: TemporaryFolder
  let server: ChildProcess
  let gateway: GatewayProcess
  private let tokens: [String]
  private let configuration: String

  static func start(isSecure: Bool = false) async throws -> CallDoor {
    let folder = try TemporaryFolder()
    let certificates = try await TestCertificates.shared()
    let pair = isSecure ? [certificates.certificate(.good), certificates.key(.good)] : []
    let server = try await GRPCPrograms.start("server.py", GRPCPrograms.server, pair, in: folder.url)
    let port = try await server.output.wait(for: "the gRPC server's port") { output -> String? in
      if let status = output.status {
        throw GatewayProcess.StartFailure(description: "status \(status): \(output.standardError)")
      }
      return output.standardOutput.first { $0.hasPrefix("port ") }.map { String($0.dropFirst(5)) }
    }
    let key = try TestKey()
    let issuer = "https://login.example.com/"
    let tls = isSecure ? ", tls: { ca: \"\(certificates.authority)\", server_name: localhost }" : ""
    let text = """
      listeners:
        - address: "127.0.0.1:0"
          tls:
            certificates:
              - { certificate: "\(certificates.certificate(.good))", key: "\(certificates.key(.good))" }
      issuers:
      \(issuerConfiguration(issuer: issuer, jwks: "keys.json"))
      upstreams:
        echo: { servers: ["127.0.0.1:\(port)"], protocol: http2, connect_timeout: 1m\(tls) }
        again:
          servers: ["127.0.0.1:\(port)"]
          protocol: http2
          connect_timeout: 1m
          retry: { buffer: 64KiB, on: [unavailable], backoff: 10ms }\(tls.replacing(", tls", with: "\n    tls"))
        dead: { servers: ["127.0.0.1:\(try closedPort())"], protocol: http2 }
      routes:
        - path: /test.Echo/*
          auth: { issuers: [login], scopes: [echo] }
          identity: { headers: { X-User-Id: sub } }
          upstream: echo
        - { path: /open.Echo/*, auth: public, upstream: echo }
        - { path: /again.Echo/*, auth: public, upstream: again }
        - { path: /small.Echo/*, auth: public, upstream: echo, body_size: 1KiB }
        - { path: /brief.Echo/*, auth: public, upstream: echo, timeout: 500ms }
        - { path: /dead.Echo/*, auth: public, upstream: dead }
      """
    let gateway = try await GatewayProcess.start(text, files: ["keys.json": keySetText(key)])
    let tokens = [
      makeToken(issuer: issuer, ["scope": "echo"], key: key),
      makeToken(issuer: issuer, ["scope": "echo", "exp": .integer(unixNow() - 600)], key: key),
      makeToken(issuer: issuer, ["scope": "other"], key: key),
    ]
    return CallDoor(folder: folder, server: server, gateway: gateway, tokens: tokens, configuration: text)
  }

  func client(_ scenario: String) async throws -> ChildProcess {
    let authority = try await TestCertificates.shared().authority
    return try await GRPCPrograms.start(
      "client.py", GRPCPrograms.client, [scenario, "\(gateway.port)", authority] + tokens, in: folder.url)
  }

  /// What a client says of a scenario, line by line.
  func run(_ scenario: String) async throws -> [String] {
    let (status, output, errors) = try await client(scenario).finish(within: .seconds(240))
    #expect(status == 0, "\(errors) \(gateway.standardError.suffix(5)) \(gateway.accessLog.suffix(5))")
    return output.split(separator: "\n").map(String.init)
  }

  func waitForServer(_ line: String) async throws {
    _ = try await server.output.wait(for: "the server to say \(line)") { output in
      output.standardOutput.contains(line) ? true : nil
    }
  }

  /// Adds a route, so that the reload changes something, and leaves the listener and the upstream as they are.
  func reload() async throws {
    try gateway.write(
      configuration: configuration + "\n  - { path: /new.Echo/*, auth: public, upstream: echo }\n")
    #expect(try await gateway.reload().status == 200)
  }
}

@Suite("gRPC with grpcio on both ends", .timeLimit(.minutes(10)), .needsGRPC)
struct GRPCTests {
  @Test("Unary calls, and streams of the server, of the client, and of both", arguments: [false, true])
  func kinds(isSecure: Bool) async throws {
    let door = try await CallDoor.start(isSecure: isSecure)
    #expect(
      try await door.run("kinds") == [
        "unary hello", "server True", "client 500 124750", "both True", "empty 0",
      ])
    let line = try await door.gateway.waitForAccessLog(containing: "/open.Echo/Chat")
    #expect(line.contains("\"status\":200,") && line.contains("\"grpc_status\":0,"), "\(line)")
  }

  @Test("Metadata and trailers pass in both directions, binary ones too. Identity arrives as metadata")
  func metadata() async throws {
    let door = try await CallDoor.start()
    let lines = try await door.run("metadata")
    for line in [
      "server x-user-id alice", "server trace-bin 000d0aff", "server plain text", "initial first 1",
      "initial first-bin 00ff0a", "trailing last 2", "trailing last-bin 01fe0d",
      "failed FAILED_PRECONDITION 100% no élan", "details grpc-status-details-bin 0809ff",
      "unknown UNIMPLEMENTED Method not found!",
    ] { #expect(lines.contains(line), "\(line) in \(lines)") }
    #expect(!lines.contains { $0.hasPrefix("server authorization") || $0 == "server x-user-id root" })
    let line = try await door.gateway.waitForAccessLog(containing: "/open.Echo/Fail")
    #expect(line.contains("\"grpc_status\":9,"), "\(line)")
  }

  @Test("Refusals are statuses of gRPC with the code, and the connection lives on")
  func refusals() async throws {
    let door = try await CallDoor.start()
    #expect(
      try await door.run("refusals") == [
        "good OK", "missing UNAUTHENTICATED token_missing", "expired UNAUTHENTICATED token_expired",
        "narrow PERMISSION_DENIED scope_missing", "unrouted UNIMPLEMENTED route_not_found",
        "dead UNAVAILABLE upstream_connect_failed", "large RESOURCE_EXHAUSTED body_too_large",
        "streamed UNAUTHENTICATED token_missing", "alive OK",
      ])
    let line = try await door.gateway.waitForAccessLog(containing: "token_expired")
    #expect(line.contains("\"status\":200,") && line.contains("\"grpc_status\":16,"), "\(line)")
    #expect(try await door.gateway.metrics().sum("catraca_auth_total", ["result": "token_missing"]) == 2)
  }

  @Test("A call that the server does not take is made again with its message, where the file says so and it is kept")
  func flaky() async throws {
    let door = try await CallDoor.start()
    #expect(
      try await door.run("flaky") == [
        "plain UNAVAILABLE try again", "plain 2 0", "again 4 50000", "again 6 0", "large UNAVAILABLE try again",
      ])
    let line = try await door.gateway.waitForAccessLog(containing: "/again.Echo/Flaky", "\"attempts\":2")
    #expect(line.contains("\"grpc_status\":0,"), "\(line)")
  }

  @Test("A deadline ends the call at the client and at the server")
  func deadline() async throws {
    let door = try await CallDoor.start()
    let lines = try await door.run("deadline")
    #expect(lines.first == "client DEADLINE_EXCEEDED")
    // The answer had begun, so it is cut off, unless the server was first: it knows the deadline.
    #expect(["route INTERNAL", "route DEADLINE_EXCEEDED"].contains(lines.last), "\(lines)")
    try await door.waitForServer("ended client")
    try await door.waitForServer("ended route")
  }

  @Test("A call that its client cancels is cancelled at the server")
  func cancel() async throws {
    let door = try await CallDoor.start()
    #expect(try await door.run("cancel") == ["begun", "CANCELLED"])
    try await door.waitForServer("ended cancel")
  }

  @Test("T61 A server that dies in the middle of a stream is an error, and UNAVAILABLE from then on")
  func death() async throws {
    let door = try await CallDoor.start()
    let lines = try await door.run("death")
    #expect(lines == ["begun", "INTERNAL", "UNAVAILABLE"], "\(lines)")
  }

  @Test("A message of 4 MiB there and back, and a stream of larger sum", arguments: [false, true])
  func large(isSecure: Bool) async throws {
    let door = try await CallDoor.start(isSecure: isSecure)
    #expect(try await door.run("large") == ["whole True", "parts True"])
  }

  @Test("A stream lives across a reload, and new calls obey the new configuration")
  func reload() async throws {
    let door = try await CallDoor.start()
    let client = try await door.client("reload")
    _ = try await client.output.wait(for: "the first message") { output in
      if output.status != nil { throw GatewayProcess.StartFailure(description: "\(output.standardError)") }
      return output.standardOutput.contains("before") ? true : nil
    }
    try await door.reload()
    client.kill(SIGUSR1)
    let (status, output, errors) = try await client.finish()
    #expect(status == 0 && output == "before\nfresh OK\nafter\nrest 0 OK", "\(output) \(errors)")
  }
}
