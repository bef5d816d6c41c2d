// Keys that live as long as a test. They take the place of the issuers' own, so that the whole check of a token takes
// place and no private key is required.

package import Configuration
import Cryptography
import JSON
package import Tokens

/// The keys of a configuration's issuers, made when somebody requires them.
package struct TestKeys {
  private let issuers: [Issuer]
  private var keys: [Int: (key: SigningKey, algorithm: SignatureAlgorithm)] = [:]
  /// By the issuers' index.
  package private(set) var sets: [KeySet?]

  package init(_ configuration: GatewayConfiguration) {
    issuers = configuration.issuers
    sets = Array(repeating: nil, count: issuers.count)
  }

  /// Makes the keys of all issuers.
  mutating func makeAll() {
    for index in issuers.indices { _ = key(of: index) }
  }

  /// A token that the issuer's rules let pass, but for what its claims say otherwise.
  /// - Returns: nil when OpenSSL makes no such key.
  package mutating func token(_ token: TestToken, unixSeconds now: Int64) -> String? {
    guard issuers.indices.contains(token.issuer), let (key, algorithm) = key(of: token.issuer) else { return nil }
    let policy = issuers[token.issuer].policy
    let header = policy.tokenTypes?.first.map { "\"typ\":\(JSONWriter.quoted($0))" } ?? ""
    guard
      let bytes = encodeCompact(
        algorithm: algorithm, header: header, payload: Self.payload(token, policy, now: now), key: key)
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Keys in the place of those that assertions are signed with, which a rehearsal neither has nor requires.
  static func signers(of configuration: GatewayConfiguration) -> [AssertionSigner?] {
    configuration.assertions.map { rules in
      guard let key = try? SigningKey.generate(.ellipticCurve(.p256)) else { return nil }
      return AssertionSigner([AssertionSigner.Key(key)], algorithm: .es256, type: rules.type.rawValue)
    }
  }

  private mutating func key(of issuer: Int) -> (key: SigningKey, algorithm: SignatureAlgorithm)? {
    if let known = keys[issuer] { return known }
    let policy = issuers[issuer].policy
    // Keys of RSA take long to make.
    let usual: [SignatureAlgorithm] = [.es256, .edDSA, .ed25519, .es384, .es512, .hs256, .hs384, .hs512]
    guard
      let algorithm = (usual + SignatureAlgorithm.allCases).first(where: policy.algorithms.contains),
      let key = try? SigningKey.generate(algorithm.keyKind),
      let set = try? KeySet.parse(
        KeySetWriter.encode([(id: nil, key: key.publicKey, algorithm: nil)]).span, algorithms: policy.algorithms)
    else { return nil }
    sets[issuer] = set
    keys[issuer] = (key, algorithm)
    return (key, algorithm)
  }

  static func payload(_ token: TestToken, _ policy: IssuerPolicy, now: Int64) -> String {
    var claims: [TestToken.Claim] = []
    func set(_ name: String, _ json: String?) {
      claims.removeAll { $0.name == name }
      claims.append(TestToken.Claim(name: name, json: json))
    }
    if let issuer = policy.issuers.first { set("iss", JSONWriter.quoted(issuer)) }
    if let audience = policy.audiences.first { set("aud", JSONWriter.quoted(audience)) }
    if let tenants = policy.tenants, let name = tenants.names.first { set(tenants.claim, JSONWriter.quoted(name)) }
    set("iat", "\(now)")
    set("exp", "\(now + 300)")
    for claim in token.claims { set(claim.name, claim.json) }
    return "{"
      + claims.compactMap { claim in claim.json.map { "\(JSONWriter.quoted(claim.name)):\($0)" } }
      .joined(separator: ",") + "}"
  }
}
