// One login under way, from the redirect to the provider until its answer. It is kept nowhere but in the browser, in a
// sealed cookie, so any copy of the gateway can go on with it, and nothing is stored for those who never come back.

internal import Bytes
internal import Cryptography
internal import JSON
internal import Tokens

struct LoginAttempt: Sendable, Equatable {
  /// Ties the provider's answer to this browser (RFC 6749 §10.12). 128 random bits.
  let state: String
  /// Ties the ID token to this login (OpenID Connect Core 1.0 §3.1.2.1). 128 random bits.
  let nonce: String
  /// Ties the code to the client that began (RFC 7636 §4.1). 256 random bits.
  let verifier: String
  /// Where the browser was on its way to: a path of this host.
  let returnTo: String
  /// How the person is to sign in, where a route requires that: one of these (`acr`).
  let contexts: [String]
  /// Seconds since 1970.
  let beganAt: Int64

  /// LIMIT: a login takes no longer. Its cookie is of no use after that.
  static let lifetimeSeconds: Int64 = 600

  /// A fresh one. Nil when there is no entropy.
  init?(returnTo: String, contexts: [String] = [], now: Int64) {
    guard let state = RandomText.make(16), let nonce = RandomText.make(16), let verifier = RandomText.make() else {
      return nil
    }
    self.state = state
    self.nonce = nonce
    self.verifier = verifier
    self.returnTo = returnTo
    self.contexts = contexts
    beganAt = now
  }

  /// What the provider gets to see of the verifier (RFC 7636 §4.2, S256).
  var challenge: String {
    let digest = SHA256.digest(verifier.utf8.span)
    return String(decoding: Base64URL.encode(digest.span), as: UTF8.self)
  }

  /// Whether its time has not passed. One from the future is another gateway's, whose clock is ahead.
  func isAlive(at now: Int64) -> Bool { now - beganAt < Self.lifetimeSeconds && beganAt - now < 60 }

  /// What the ID token must say of that.
  var requirement: ClaimRequirement {
    ClaimRequirement(claim: ClaimPath("acr"), values: contexts.map { .string($0) })
  }

  // MARK: In the cookie

  private static let state = Array("state".utf8)
  private static let nonce = Array("nonce".utf8)
  private static let verifier = Array("verifier".utf8)
  private static let returnTo = Array("return_to".utf8)
  private static let contexts = Array("acr_values".utf8)
  private static let beganAt = Array("began_at".utf8)

  /// What is to be sealed.
  var encoded: [UInt8] {
    var out = ByteQueue()
    out.append("{\"state\":")
    JSONWriter.append(string: state, to: &out)
    out.append(",\"nonce\":")
    JSONWriter.append(string: nonce, to: &out)
    out.append(",\"verifier\":")
    JSONWriter.append(string: verifier, to: &out)
    out.append(",\"return_to\":")
    JSONWriter.append(string: returnTo, to: &out)
    out.append(",\"acr_values\":")
    JSONWriter.append(string: contexts.joined(separator: " "), to: &out)
    out.append(",\"began_at\":")
    JSONWriter.append(integer: beganAt, to: &out)
    out.append("}")
    return out.copied()
  }

  /// What was sealed. Nil when it is something else.
  init?(encoded: [UInt8]) {
    guard let document = try? JSONDocument(encoded) else { return nil }
    func text(_ name: [UInt8]) -> String? {
      document.member(name.span, of: document.root).flatMap { document.string(at: $0) }
    }
    guard let state = text(Self.state), let nonce = text(Self.nonce), let verifier = text(Self.verifier),
      let returnTo = text(Self.returnTo),
      let beganAt = document.member(Self.beganAt.span, of: document.root).flatMap({ document.integer(at: $0) })
    else { return nil }
    self.state = state
    self.nonce = nonce
    self.verifier = verifier
    self.returnTo = returnTo
    contexts = (text(Self.contexts) ?? "").split(separator: " ").map(String.init)
    self.beganAt = beganAt
  }
}
