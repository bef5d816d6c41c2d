// `catraca init`: what it writes is a good file, and the gateway runs with it.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("The first file")
struct InitTests {
  private func run(_ arguments: [String], answers: String = "", in folder: TemporaryFolder) async throws
    -> (status: Int32, standardOutput: String, standardError: String)
  {
    // The answers come by a shell: a process of tests has no standard input of its own.
    try folder.write("answers", Data(answers.utf8))
    let command = [try GatewayProcess.binary(), "init"] + arguments
    return try await ChildProcess.run("sh", ["-c", "exec \"$@\" < answers", "sh"] + command, in: folder.url)
  }

  private func written(_ folder: TemporaryFolder) throws -> String {
    try String(contentsOf: folder.url.appending(path: "gateway.conf"), encoding: .utf8)
  }

  @Test("Three answers and the issuer's document make a file with which a token passes")
  func answers() async throws {
    let upstream = try await TestUpstream.echo()
    let issuer = try await TestIssuer.start(.es256)
    let folder = try TemporaryFolder()
    let ran = try await run([], answers: "\(issuer.url)/\n\(upstream.address)\n", in: folder)
    #expect(ran.status == 1)
    #expect(ran.standardError.contains("an answer is missing: write --upstream"))

    let good = try await run([], answers: "\(issuer.url)/\napi, other\n\(upstream.address)\n", in: folder)
    #expect(good.status == 0, "\(good.standardError)")
    #expect(good.standardError.contains("The issuer calls itself \"\(issuer.url)\""))
    #expect(good.standardOutput.contains("catraca run gateway.conf"))
    let text = try written(folder)
    #expect(text.contains("algorithms: [ES256]"))
    #expect(text.contains("audiences: [\"api\", \"other\"]"))
    let configuration = text.replacing("127.0.0.1:8080", with: "127.0.0.1:0")
    let gateway = try await GatewayProcess.start(configuration)
    try await gateway.waitUntilReady()
    let token = issuer.token(["aud": "api"])
    #expect(try await gateway.get("/", ["Authorization: Bearer \(token)"]).status == 200)
    #expect(upstream.requests.last?["X-User-Id"] != nil)
    #expect(try await gateway.get("/").code == "token_missing")
  }

  @Test("Options ask nothing, a server behind https gets TLS, and every value stays what it is")
  func options() async throws {
    let folder = try TemporaryFolder()
    let ran = try await run(
      [
        "--offline", "--issuer", "https://login.example.com/a", "--audience", "a\"b ${HOME} # c", "--upstream",
        "https://orders.example.com",
      ], in: folder)
    #expect(ran.status == 0, "\(ran.standardError)")
    let text = try written(folder)
    #expect(text.contains("audiences: [\"a\\\"b $${HOME} # c\"]"))
    #expect(text.contains("servers: [\"orders.example.com:443\"]"))
    #expect(text.contains("tls: { server_name: \"orders.example.com\" }"))
    let checked = try await GatewayProcess.run(["check", "gateway.conf"], files: ["gateway.conf": text])
    #expect(checked.status == 0, "\(checked.standardError)")
  }

  @Test("The URL of the discovery document names the issuer, and one without a scheme is corrected")
  func discoveryURL() async throws {
    let folder = try TemporaryFolder()
    let options = ["--offline", "--any-audience", "--upstream", "127.0.0.1:9000", "--issuer"]
    let bare = try await run(options + ["login.example.com/a"], in: folder)
    #expect(bare.status == 1)
    #expect(bare.standardError.hasSuffix("write https://login.example.com/a"))
    let ran = try await run(options + ["https://login.example.com/a/.well-known/openid-configuration"], in: folder)
    #expect(ran.status == 0, "\(ran.standardError)")
    #expect(try written(folder).contains("issuer: \"https://login.example.com/a\""))
  }

  @Test("A file that exists is left alone, and answers that make no good file write none")
  func refused() async throws {
    let folder = try TemporaryFolder()
    let options = ["--offline", "--any-audience", "--upstream", "127.0.0.1:9000", "--issuer"]
    for issuer in ["ftp://x", "https://login.example.com/?a=b c", ""] {
      let ran = try await run(options + [issuer], in: folder)
      #expect(ran.status == 1, "\(issuer)")
      #expect(!FileManager.default.fileExists(atPath: folder.url.appending(path: "gateway.conf").path))
    }
    #expect(try await run(options + ["https://login.example.com/"], in: folder).status == 0)
    let again = try await run(options + ["https://other.example.com/"], in: folder)
    #expect(again.status == 1)
    #expect(again.standardError == "catraca: gateway.conf exists: name another file, or move it away")
    #expect(try written(folder).contains("https://login.example.com/"))
  }

  @Test("An issuer that does not answer is said to, and the file has what was written")
  func silence() async throws {
    let folder = try TemporaryFolder()
    let issuer = "http://127.0.0.1:\(try closedPort())"
    let ran = try await run(
      ["--issuer", issuer, "--audience", "api", "--upstream", "http://127.0.0.1:9000"], in: folder)
    #expect(ran.status == 0)
    #expect(ran.standardError.contains("(connect_failed(Connection refused"))
    #expect(try written(folder).contains("issuer: \"\(issuer)\""))
  }
}
