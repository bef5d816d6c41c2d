// `catraca explain` of a token that is bound: each check of its proof, and both sides of the one that fails.

import Configuration
import Cryptography
import Rehearsal
import Testing
import Tokens

@Suite("Explanations of proofs")
struct SenderExplanationTests {
  private let (issuer, sender): (SigningKey, SigningKey)
  private let keys: KeySet

  init() throws {
    (issuer, sender) = (try .generate(.ellipticCurve(.p256)), try .generate(.ellipticCurve(.p256)))
    keys = try KeySet.parse(
      KeySetWriter.encode([(id: "one", key: issuer.publicKey, algorithm: nil)]).span, algorithms: [.es256])
  }

  private func sign(_ payload: String, header: String, _ key: SigningKey) throws -> String {
    let bytes = try #require(encodeCompact(algorithm: .es256, header: header, payload: payload, key: key))
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: Base64URL.encode(bytes.span), as: UTF8.self) }

  /// - Parameter proof: members beside those that every proof here has. Nil for a request without one.
  private func explain(_ proof: String?, url: String = "https://api.example.com/orders/1?a=b") throws -> Explanation {
    let jkt = Self.text(Thumbprint.make(sender.publicKey.components))
    let token = try sign(
      """
      {"iss":"https://login.example.com","aud":"api","sub":"ada","exp":1800000300,"cnf":{"jkt":"\(jkt)"}}
      """, header: "\"kid\":\"one\"", issuer)
    var fields = [TestField(name: "Authorization", value: "DPoP \(token)")]
    if let proof {
      let ath = Self.text(SHA256.digest(token.utf8.span))
      fields.append(
        TestField(
          name: "DPoP",
          value: try sign(
            "{\"jti\":\"j\",\"ath\":\"\(ath)\",\(proof)}",
            header: "\"typ\":\"dpop+jwt\",\"jwk\":\(Thumbprint.canonicalJSON(sender.publicKey.components))", sender)))
    }
    let routes = "routes: [{ path: /orders/*, auth: { issuers: [login], proof: dpop }, upstream: orders }]"
    return Explanation(
      RehearsedRequest(try request("GET \(url)"), fields: fields), token: nil, in: try configuration(routes),
      keySets: [keys], unixSeconds: now)
  }

  private static let good = "\"htm\":\"GET\",\"htu\":\"https://api.example.com/orders/1\",\"iat\":1800000000"

  @Test("Each check of a good proof is shown, and none of its values that are secret")
  func passed() throws {
    let found = try explain(Self.good)
    #expect(found.outcome.code == nil && found.outcome.upstreamRequest != nil)
    let arePassed = found.senderSteps.allSatisfy(\.isPassed)
    #expect(arePassed && found.senderSteps.map(\.name) == ProofStep.allCases.map(\.rawValue))
    #expect(found.requirements == ["proof: by the key that the token is bound to (DPoP)"])
    let text = found.text()
    #expect(
      text.contains("\nsender\n") && text.contains("https://api.example.com/orders/1") && !text.contains("DPoP eyJ"))
    #expect(!found.sentFields.contains { $0.name == "DPoP" || $0.name == "Authorization" })
    #expect(found.json.contains("\"sender\":[{\"check\":\"field\",\"passed\":true"))
  }

  @Test(
    "The check that fails has both sides",
    arguments: [
      ("\"htm\":\"PUT\",\"htu\":\"https://api.example.com/orders/1\",\"iat\":1800000000", "method", "GET", "PUT"),
      (
        "\"htm\":\"GET\",\"htu\":\"http://api.example.com/orders/1?secret\",\"iat\":1800000000", "target",
        "https://api.example.com/orders/1", "http://api.example.com/orders/1"
      ),
      (
        "\"htm\":\"GET\",\"htu\":\"https://api.example.com/orders/1\",\"iat\":1799999000", "time",
        "iat at most 60s ago, leeway 30s", "iat 1000s ago"
      ),
    ])
  func failed(proof: String, name: String, expected: String, got: String) throws {
    let found = try explain(proof)
    #expect(found.outcome.code == "proof_invalid" && found.outcome.status == 401)
    let last = try #require(found.senderSteps.last)
    #expect(last.name == name && !last.isPassed && last.expected == expected && last.got == got, "\(last)")
    let others = found.senderSteps.dropLast().allSatisfy(\.isPassed)
    #expect(others && !found.text().contains("secret"))
  }

  @Test("A token that came without a proof says what is missing")
  func missing() throws {
    let found = try explain(nil)
    #expect(found.outcome.code == "proof_missing")
    #expect(found.senderSteps.map(\.name) == ["sender"] && found.senderSteps.first?.got == "no field DPoP")
  }
}
