// What takes the place of credentials in a file's tests: keys, cookies and certificates that live for one test.

import Bytes
import Configuration
import Cryptography
import Proxy
import Tokens

/// A session that the store of a rehearsal has.
package struct RehearsedSession: Sendable {
  /// Index into the configuration's sessions.
  let index: Int
  let statement: SessionStatement
}

/// Makes the requests of tests, and the configuration that knows their credentials.
struct TestCredentials {
  /// The file's own, and the keys of its tests beside.
  private(set) var configuration: GatewayConfiguration
  private(set) var keys: TestKeys
  /// By set and id.
  private var apiKeys: [Int: [String: String]] = [:]
  private let unixSeconds: Int64

  init(_ configuration: GatewayConfiguration, unixSeconds: Int64) {
    self.configuration = configuration
    keys = TestKeys(configuration)
    self.unixSeconds = unixSeconds
  }

  /// - Returns: nil where the file has no such key.
  mutating func request(of test: FileTest) -> RehearsedRequest? {
    var request = RehearsedRequest(test.request, fields: test.headers, client: test.client, body: test.body)
    if let token = test.token, let text = keys.token(token, unixSeconds: unixSeconds) {
      request.fields.append(TestField(name: "Authorization", value: "Bearer \(text)"))
    }
    if let key = test.apiKey {
      guard let text = self.text(of: key) else { return nil }
      request.add(text, id: key.id, at: configuration.apiKeys[key.set].places.first)
    }
    if let session = test.session { add(session, to: &request) }
    request.certificate = test.certificate.map { facts in
      ClientCertificateFacts(
        subject: facts.subject, alternativeNames: facts.alternativeNames, thumbprint: facts.thumbprint)
    }
    return request
  }

  private mutating func text(of key: TestAPIKey) -> String? {
    if let known = apiKeys[key.set]?[key.id] { return known }
    guard let text = RandomText.make() else { return nil }
    let digest = SHA256.digest(Array(text.utf8).span)
    guard configuration.apiKeys[key.set].keys.insert(digest: digest, like: Array(key.id.utf8)) else { return nil }
    apiKeys[key.set, default: [:]][key.id] = text
    return text
  }

  private func add(_ test: TestSession, to request: inout RehearsedRequest) {
    let rules = configuration.sessions[test.session]
    guard let index = test.issuer ?? rules.login?.issuer ?? rules.exchange?.issuers.first,
      configuration.issuers.indices.contains(index)
    else { return }
    guard let cookie = RandomText.make() else { return }
    let issuer = configuration.issuers[index]
    var token = TestToken()
    token.claims = test.claims
    let claims = TestKeys.payload(token, issuer.policy, now: unixSeconds)
    request.session = RehearsedSession(
      index: test.session,
      statement: SessionStatement(issuer: issuer.name, claims: Array(claims.utf8), endsAt: unixSeconds + 300))
    request.addCookie("\(rules.cookie.name)=\(cookie)")
  }
}

extension RehearsedRequest {
  fileprivate mutating func add(_ key: String, id: String, at place: TokenSource?) {
    switch place {
    case .value(.header(let name)): fields.append(TestField(name: name, value: key))
    case .value(.query(let name)): url.target += (url.target.contains("?") ? "&" : "?") + "\(name)=\(key)"
    case .basic:
      let credentials = String(decoding: Base64.encode(Array("\(id):\(key)".utf8).span), as: UTF8.self)
      fields.append(TestField(name: "Authorization", value: "Basic \(credentials)"))
    // No set has these.
    case .authorization, .webSocketProtocol, .value, nil: break
    }
  }

  fileprivate mutating func addCookie(_ pair: String) {
    if let index = fields.firstIndex(where: { $0.name.lowercased() == "cookie" }) {
      fields[index].value += "; \(pair)"
    } else {
      fields.append(TestField(name: "Cookie", value: pair))
    }
  }
}
