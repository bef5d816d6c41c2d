// `introspection` of an issuer, prepared.

import Bytes
import Configuration
import Tokens

final class CompiledIntrospection: Sendable {
  /// How the gateway proves who it is.
  private enum Proof: Sendable {
    /// A secret, which is in the head.
    case secret
    /// A statement of its own with each question (RFC 7523), for this audience.
    case key(ClientKey, audience: String)
    /// The connection's certificate (RFC 8705), so that only its name has to be said.
    case certificate
  }

  let issuerName: String
  let counterID: Int
  /// An index into the configuration's upstreams.
  let upstream: Int
  let upstreamName: String
  /// The rules for answers that are JWTs themselves (RFC 9701). Nil where they are plain JSON.
  let signedAnswerRules: IssuerRules?
  /// Request line and fields, up to the number of bytes of the form.
  private let headStart: [UInt8]
  private let clientID: String
  private let proof: Proof
  let cacheSeconds: Int64
  let refusalNanoseconds: Int64
  let timeout: Int64
  let concurrency: Int

  /// Nil where nobody can be asked: the end point is not known yet, or the client's key cannot sign.
  init?(_ issuer: Issuer, counterID: Int, in configuration: GatewayConfiguration) {
    guard let rules = issuer.introspection, !rules.endpoint.isEmpty,
      configuration.upstreams.indices.contains(rules.upstream)
    else { return nil }
    issuerName = issuer.name
    self.counterID = counterID
    upstream = rules.upstream
    upstreamName = configuration.upstreams[rules.upstream].name
    clientID = rules.clientID
    var authorization: [UInt8] = []
    switch rules.client {
    case .secret(let secret):
      proof = .secret
      authorization = Self.authorization(rules.clientID, secret)
    case .key(let file):
      guard let key = ClientKey(pem: file.pem) else { return nil }
      proof = .key(key, audience: issuer.policy.issuer)
    case .certificate: proof = .certificate
    }
    signedAnswerRules = rules.isSigned ? Self.rules(forAnswersOf: issuer.policy, to: rules.clientID) : nil
    headStart =
      Array("POST \(rules.target) HTTP/1.1\r\nHost: \(rules.authority)\r\n".utf8) + authorization
      + Array("Accept: \(rules.isSigned ? "application/token-introspection+jwt" : "application/json")\r\n".utf8)
      + Array("Content-Type: application/x-www-form-urlencoded\r\n".utf8)
    cacheSeconds = rules.cache.nanoseconds / 1_000_000_000
    refusalNanoseconds = rules.refusals.nanoseconds
    timeout = rules.timeout.nanoseconds
    concurrency = rules.concurrency
  }

  /// An answer is for the client alone, and for nothing else (RFC 9701 §5).
  private static func rules(forAnswersOf issuer: IssuerPolicy, to clientID: String) -> IssuerRules {
    var policy = issuer
    policy.audiences = [clientID]
    policy.tokenTypes = ["token-introspection+jwt"]
    policy.purpose = nil
    policy.requiredClaims = ["iat", "token_introspection"]
    policy.maxAgeSeconds = nil
    policy.jwtQuestion = nil
    return IssuerRules(policy)
  }

  /// The request about a token. Nil where the key does not sign.
  /// - Parameter now: in seconds since 1970.
  func question(about token: Span<UInt8>, now: Int64) -> (head: [UInt8], body: [UInt8])? {
    var body = ByteQueue()
    body.append("token=")
    body.append(formValue: token)
    body.append("&token_type_hint=access_token")
    switch proof {
    case .secret: break
    case .certificate:
      body.append("&client_id=")
      body.append(formValue: clientID.utf8.span)
    case .key(let key, let audience):
      guard
        let statement = key.assertion(
          clientID: clientID, audience: audience, algorithm: key.algorithm(among: []), now: now)
      else { return nil }
      body.append("&client_id=")
      body.append(formValue: clientID.utf8.span)
      body.append("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer")
      body.append("&client_assertion=")
      body.append(formValue: statement.span)
    }
    let head = headStart + Array("Content-Length: \(body.count)\r\n\r\n".utf8)
    return (head, body.copied())
  }

  /// Each half is encoded as in a form, so that a colon in one is no border (RFC 6749 §2.3.1).
  private static func authorization(_ clientID: String, _ secret: String) -> [UInt8] {
    var pair = ByteQueue()
    pair.append(formValue: clientID.utf8.span)
    pair.append(":")
    pair.append(formValue: secret.utf8.span)
    return Array("Authorization: Basic ".utf8) + Base64.encode(pair.span) + Array("\r\n".utf8)
  }
}

extension ByteQueue {
  /// As a form has it (application/x-www-form-urlencoded): all but what RFC 3986 §2.3 calls unreserved is encoded.
  fileprivate mutating func append(formValue text: Span<UInt8>) {
    for index in text.indices {
      let byte = text[index]
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        append(byte)
      default:
        append("%")
        append(Self.digit(byte >> 4))
        append(Self.digit(byte & 15))
      }
    }
  }

  private static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x37 + nibble }
}
