// Tests in the file as an operator meets them: `check`, a start and a reload are refused where one fails. And what
// `explain` says of such a file.

import Foundation
import TestSupport
import Testing

@Suite("Tests in the file, and explanations", .timeLimit(.minutes(10)))
struct FileTestRunTests {
  private static func file(expecting status: Int) -> String {
    """
    listeners: [{ address: "127.0.0.1:0" }]
    admin: { address: "127.0.0.1:0" }
    routes: [{ path: /a, auth: public, respond: { status: 204 } }]
    tests: [{ request: "http://x/a", expect: { status: \(status) } }]

    """
  }

  @Test("A file with a test that fails is refused by check and run, at the test's place, unless tests are left out")
  func refused() async throws {
    for command in ["check", "run"] {
      let (status, _, errors) = try await GatewayProcess.run([command], configuration: Self.file(expecting: 200))
      #expect(status == 1)
      #expect(errors.contains("gateway.conf:4:52: the test of 'GET http://x/a' fails: expected status 200, got 204"))
      #expect(!errors.contains("listening"))
    }
    let leftOut = try await GatewayProcess.run(["check", "--no-tests"], configuration: Self.file(expecting: 200))
    #expect(leftOut.status == 0)
    let good = try await GatewayProcess.run(["check"], configuration: Self.file(expecting: 204))
    #expect(good.standardOutput.hasSuffix(": ok, 1 route, 1 test passes"))
  }

  @Test("A reload whose test fails changes nothing, and names the test")
  func reload() async throws {
    let file = """
      routes: [{ path: /a, auth: public, respond: { status: 204 } }]
      tests: [{ request: "http://x/a", expect: { status: 204 } }]

      """
    let gateway = try await GatewayProcess.start(file)
    try gateway.write(configuration: file.replacing("path: /a,", with: "path: /b,"))
    let answer = try await gateway.reload()
    #expect(answer.status == 422)
    #expect(answer.text.contains("fails: expected status 204, got 404, route_not_found"))
    #expect(try await gateway.get("/a").status == 204)
  }

  @Test("explain says why in text and JSON, with a token from standard input, and by its exit status")
  func explain() async throws {
    let arguments = ["explain", "--request", "GET http://x/a"]
    let good = try await GatewayProcess.run(arguments, configuration: Self.file(expecting: 204))
    #expect(good.status == 0 && good.standardOutput.contains("✔ /a"))
    let missed = try await GatewayProcess.run(
      ["explain", "--json", "--request", "GET http://x/b"], configuration: Self.file(expecting: 204))
    #expect(missed.status == 1)
    #expect(missed.standardOutput.contains("\"code\":\"route_not_found\""))
    let bad = try await GatewayProcess.run(
      ["explain", "--request", "GET x"], configuration: Self.file(expecting: 204))
    #expect(bad.status == 64 && bad.standardError.contains("has no URL with http:// or https://"))
  }
}
