// How soon keys are there: at the start, after an outage, and when they change faster than expected (T100).

import Foundation
import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct KeyTimesTests {
  @Test("T100 Two changes of keys within seconds refuse nobody, and the log says which keys came and went")
  func secondRotation() async throws {
    let keys = try ["first", "second", "third"].map { try TestKey(.es256, id: $0) }
    let issuer = try await TestIssuer.start(keys[0])
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await door.gateway.waitUntilReady()
    for key in keys {
      issuer.publish([key.jwk()])
      #expect(try await door.verdictOfNewKey(issuer.token(key: key)) == "passed", "\(key.id ?? "")")
    }
    #expect(issuer.fetchCount == 3)
    _ = try await door.gateway.waitForLog("the third key") {
      $0.contains("came=third") && $0.contains("went=second") && $0.contains(" keys loaded ")
    }
  }

  @Test("T100 After an outage at the start a reload asks the issuer at once, and the log says that its keys came")
  func reloadAfterOutage() async throws {
    let issuer = try await TestIssuer.start(.es256)
    let place = "/.well-known/openid-configuration"
    issuer.server.putAll(.close)
    let door = try await TokenDoor.start(issuers: issuer.configuration())
    try await issuer.server.waitForCount(of: place, atLeast: 2)
    let refused = try await door.gateway.get("/door", ["Authorization: Bearer \(issuer.token())"])
    #expect(refused.code == "keys_unavailable" && refused["Retry-After"] == "5")
    issuer.server.putAll(nil)
    #expect(try await door.gateway.reload().status == 200)
    try await door.gateway.waitUntilReady()
    #expect(try await door.verdict(issuer.token()) == "passed")
    _ = try await door.gateway.waitForLog("the keys") {
      $0.contains("notice") && $0.contains("issuer=login") && $0.contains("keys=1") && $0.contains(" keys loaded ")
    }
    // SIGHUP does as POST /reload does.
    door.gateway.signal(SIGHUP)
    _ = try await door.gateway.waitForLog("the second reload") { $0.contains("generation=3") }
  }

  @Test("T100 Keys that are left out of a fetched set are named in the log with the reason, once")
  func leftOut() async throws {
    let weak = #"{"kty":"RSA","kid":"weak\u0020one","n":"AQAB","e":"AQAB"}"#
    let issuer = try await TestIssuer.start(.es256)
    issuer.publish([issuer.key.jwk(), weak])
    let door = try await TokenDoor.start(issuers: issuer.configuration(more: ["refresh: 1s"]))
    try await issuer.server.waitForCount(of: "/keys", atLeast: 3)
    #expect(try await door.verdict(issuer.token()) == "passed")
    let lines = door.gateway.standardError.filter { $0.contains(" keys are left out ") }
    #expect(lines.count == 1 && lines[0].contains("weak%20one is too short"), "\(lines)")
  }
}
