// What the gateway never says of its own configuration: values of variables, queries of key URLs (T89).

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct ConfigurationSecrecyTests {
  @Test("T89 The query of a key URL is in no log and not in /status, whatever becomes of the fetch")
  func keyURL() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let target = "/keys?api_key=query-secret"
    let door = try await TokenDoor.start(issuers: issuer.configuration(jwks: "\"\(issuer.url)\(target)\""))
    #expect(try await door.verdict(issuer.token()) == "keys_unavailable")
    var pages = [try await door.gateway.admin("/status").text]
    issuer.server.put(target, .json(keySetText(issuer.key)))
    #expect(try await door.gateway.reload().status == 200)
    try await door.gateway.waitUntilReady()
    pages.append(try await door.gateway.admin("/status").text)
    for page in pages { #expect(page.contains("\(issuer.url)/keys?") && !page.contains("query-secret"), "\(page)") }
    _ = try await door.gateway.waitForLog("the keys") { $0.contains("/keys?…") && $0.contains(" keys loaded ") }
    for line in door.gateway.standardError { #expect(!line.contains("query-secret"), "\(line)") }
  }

  @Test("T89 What a variable holds is neither in the answer to a reload, nor in the log, nor in what check prints")
  func variables() async throws {
    let environment = ["SECRET": "hunter2-SUPER\nx"]
    let route =
      "  - { path: /a, auth: public, respond: { status: 200 }, request_headers: { set: { X-Key: \"RULE\" } } }"
    let file = "routes:\n" + route
    let gateway = try await GatewayProcess.start(file.replacing("RULE", with: "v"), environment: environment)
    let bad = file.replacing("RULE", with: "${SECRET}")
    try gateway.write(configuration: bad)
    let answer = try await gateway.reload()
    #expect(answer.status == 422, "\(answer.text)")
    #expect(answer.text.contains("'${SECRET}' is not a valid header value"), "\(answer.text)")
    let checked = try await GatewayProcess.run(
      ["check", "gateway.conf"], configuration: "listeners: [{ address: \"127.0.0.1:0\" }]\n" + bad,
      environment: environment)
    #expect(checked.status == 1, "\(checked.standardError)")
    #expect(checked.standardError.contains("'${SECRET}'"), "\(checked.standardError)")
    for text in gateway.standardError + [answer.text, checked.standardError, checked.standardOutput] {
      #expect(!text.contains("hunter2"), "\(text)")
    }
  }
}
