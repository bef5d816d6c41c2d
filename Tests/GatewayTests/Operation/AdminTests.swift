// The admin listener's pages.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Admin pages", .timeLimit(.minutes(10)))
struct AdminTests {
  @Test("/healthz, /readyz and /status answer, each method that does not belong gets a 405, the rest a 404")
  func pages() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let gateway = door.gateway
    #expect(try await gateway.admin("/healthz").status == 200)
    #expect(try await gateway.admin("/healthz", method: "HEAD").status == 200)
    #expect(try await gateway.admin("/readyz").status == 200)
    #expect(try await gateway.admin("/metrics").status == 200)
    for path in ["/healthz", "/readyz", "/metrics", "/status"] {
      let response = try await gateway.admin(path, method: "POST")
      #expect(response.status == 405 && response["Allow"] == "GET, HEAD", "\(path)")
    }
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
      let response = try await gateway.admin("/reload", method: method)
      #expect(response.status == 405 && response["Allow"] == "POST", "\(method)")
    }
    #expect(try await gateway.metrics().sum("catraca_config_reloads_total") == 0)
    #expect(try await gateway.admin("/").status == 404)
    #expect(try await gateway.admin("/door").status == 404)
    let status = try await gateway.admin("/status")
    #expect(status["Content-Type"] == "application/json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(status.body)) as? [String: Any])
    #expect(object["generation"] as? Int == 1)
    #expect(object["draining"] as? Bool == false)
    let listeners = try #require(object["listeners"] as? [[String: Any]])
    #expect(listeners.map { $0["address"] as? String } == ["127.0.0.1:\(gateway.port)"])
    let routes = try #require(object["routes"] as? [[String: Any]])
    #expect(routes.first?["path"] as? String == "/door")
    let issuers = try #require(object["issuers"] as? [[String: Any]])
    #expect(issuers.first?["keys"] as? Int == 1 && issuers.first?["ready"] as? Bool == true)
    #expect(!status.text.contains(key.numbers.suffix(30)))
  }

  @Test("With admin off nothing but the listener is open")
  func off() async throws {
    let gateway = try await GatewayProcess.start(
      "admin: off\nroutes: [{ path: /, auth: public, respond: { status: 200 } }]")
    #expect(gateway.adminPort == 0)
    #expect(!gateway.standardError.contains { $0.contains(" notice admin ") })
    #expect(try await gateway.get("/").status == 200)
  }
}
