// `catraca demo` as a newcomer meets it: what it prints is pasted into a shell, and does what it says.

import Foundation
import TestSupport
import Testing

@Suite("The demo", .timeLimit(.minutes(10)))
struct DemoCommandTests {
  /// The lines that a running demo has printed, up to the last of its text.
  private static func start() async throws -> (demo: ChildProcess, text: [String]) {
    let demo = try ChildProcess.start(
      try GatewayProcess.binary(), ["demo", "--port", "0", "--tls-port", "0", "--admin-port", "0"])
    let text = try await demo.output.wait(for: "the demo's text") { output in
      output.standardOutput.contains("One line per request follows.") ? output.standardOutput : nil
    }
    return (demo, text)
  }

  /// The lines to paste first.
  private static func tokens(_ text: [String]) -> [String] { text.filter { $0.hasPrefix("export ") } }

  @Test(
    "Each curl line, pasted as it is, gets the status that is printed above it",
    .enabled(if: ChildProcess.isInstalled("curl"), "curl is not installed"))
  func curlLines() async throws {
    let (demo, text) = try await Self.start()
    #expect(Self.tokens(text).count == 4)
    var statuses: [String] = []
    for (title, command) in zip(text, text.dropFirst()) where command.hasPrefix("curl ") {
      let announced = String(try #require(title.split(separator: " ").dropFirst().first, "\(title)"))
      #expect(command.count < 160)
      let pasted = Self.tokens(text) + [command + " -s -o /dev/null -w '%{http_code}'"]
      let ran = try await ChildProcess.run("sh", ["-c", pasted.joined(separator: "\n")])
      #expect(ran.standardOutput == announced, "\(title)\n\(command)\n\(ran.standardError)")
      statuses.append(announced)
    }
    #expect(statuses == ["200", "401", "401", "401", "403", "200", "200", "200", "404", "200", "200"])
    for reason in ["token_missing", "token_expired", "signature_invalid", "scope_missing ada"] {
      _ = try await demo.output.wait(for: "a line with \(reason)") { output in
        output.standardOutput.first { $0.contains(" -> 40") && $0.contains(reason) }
      }
    }
    demo.kill(SIGINT)
    #expect(try await demo.waitForExit() == 0)
  }

  @Test("The upstream sees who the caller is, not the token and not what the caller claims to be")
  func identity() async throws {
    let (demo, text) = try await Self.start()
    let good = try #require(text.first { $0.hasPrefix("curl ") && $0.contains("/hello") })
    let port = try #require(
      Int(good.drop { $0 != ":" }.dropFirst(3).drop { $0 != ":" }.dropFirst().prefix { $0 != "/" }))
    let token = try #require(Self.tokens(text).first?.components(separatedBy: "'").dropFirst().first)
    let response = try await RawClient.connect(port: port).get(
      "/hello", ["Authorization: Bearer \(token)", "X-User-Id: root", "x_user_email: root"])
    #expect(response.status == 200)
    #expect(response.text.contains("\"X-User-Id\": \"ada\""))
    #expect(response.text.contains("\"X-User-Email\": \"ada@example.com\""))
    for hidden in ["root", "Bearer", "uthorization"] { #expect(!response.text.contains(hidden), "\(response.text)") }
    demo.kill(SIGTERM)
    #expect(try await demo.waitForExit() == 0)
  }

  @Test("Nothing but the lines of requests follows the text, and no warning of its own configuration comes before it")
  func quiet() async throws {
    let (demo, _) = try await Self.start()
    demo.kill(SIGTERM)
    #expect(try await demo.waitForExit() == 0)
    // What the machine is short of is said.
    let said = demo.output.current.standardError.filter { !$0.contains("'limits.connections'") }
    #expect(said.isEmpty, "\(said)")
  }

  @Test("The status page and the metrics are where it says")
  func statusPage() async throws {
    let (demo, text) = try await Self.start()
    for path in ["/status", "/metrics"] {
      let line = try #require(text.first { $0.hasSuffix(path) })
      let port = try #require(Int(line.dropLast(path.count).split(separator: ":").last ?? ""))
      let response = try await RawClient.connect(port: port).exchange("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
      #expect(response.status == 200)
    }
    demo.kill(SIGTERM)
    #expect(try await demo.waitForExit() == 0)
  }

  @Test("Without a folder that it can write to, it says which variable names another")
  func noFolder() async throws {
    let ran = try await GatewayProcess.run(
      ["demo", "--port", "0", "--tls-port", "0", "--admin-port", "0"], environment: ["TMPDIR": "/dev/null/none"])
    #expect(ran.status == 1)
    #expect(ran.standardError.contains("cannot write its certificate into /dev/null/none"))
  }

  @Test(
    "A port that is taken ends it with a message that names the option",
    arguments: ["--port", "--tls-port", "--admin-port"])
  func portTaken(_ option: String) async throws {
    let upstream = try await TestUpstream.echo()
    let port = String(try #require(upstream.address.split(separator: ":").last))
    let others = ["--port", "--tls-port", "--admin-port"].filter { $0 != option }.flatMap { [$0, "0"] }
    let ran = try await GatewayProcess.run(["demo", option, port] + others)
    #expect(ran.status == 1)
    #expect(ran.standardError.contains("port \(port) on 127.0.0.1"))
    #expect(ran.standardError.contains("\(option) PORT"))
    let variable = option.dropFirst(2).uppercased().replacing("-", with: "_")
    #expect(ran.standardError.contains("make demo \(variable)=PORT"))
    #expect(ran.standardOutput.isEmpty)
  }
}
