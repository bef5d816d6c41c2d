// How the gateway proves to a provider that it is the client that it says it is (RFC 6749 §2.3, OpenID Connect Core 1.0
// §9).

internal import Tokens

enum ClientAuthentication: Sendable {
  /// A public client. PKCE alone ties the code to the one who began.
  case none
  /// A secret in Authorization.
  case secretBasic(String)
  /// A secret in the form.
  case secretPost(String)
  /// A JWT that the client signs (`private_key_jwt`, RFC 7523).
  case privateKey(ClientKey)

  /// A secret is shown in the way that the provider takes. One that says nothing takes `client_secret_basic`.
  static func secret(_ secret: String, for provider: ProviderMetadata) -> ClientAuthentication {
    let methods = provider.authenticationMethods ?? ["client_secret_basic"]
    return !methods.contains("client_secret_basic") && methods.contains("client_secret_post")
      ? .secretPost(secret) : .secretBasic(secret)
  }

  /// A form for the token end point, with the proof in it or beside it.
  func posting(
    _ pairs: [(name: String, value: String)], clientID: String, to provider: ProviderMetadata, now: Int64
  ) throws(LoginFault) -> Posting {
    var form = pairs
    var fields: [(name: String, value: String)] = [
      ("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"),
    ]
    switch self {
    case .none: form.append(("client_id", clientID))
    case .secretBasic(let secret):
      // Each half is encoded as in a form, so that a colon in one is no border (RFC 6749 §2.3.1).
      let pair = "\(FormEncoding.encode(clientID)):\(FormEncoding.encode(secret))"
      let credentials = String(decoding: Base64.encode(Array(pair.utf8).span), as: UTF8.self)
      fields.append(("Authorization", "Basic \(credentials)"))
    case .secretPost(let secret):
      form.append(("client_id", clientID))
      form.append(("client_secret", secret))
    case .privateKey(let key):
      let algorithm = key.algorithm(among: provider.signingAlgorithms)
      guard
        let assertion = key.assertion(
          clientID: clientID, audience: provider.tokenEndpoint.text, algorithm: algorithm, now: now)
      else { throw .providerUnavailable("the client's key cannot sign") }
      form.append(("client_id", clientID))
      form.append(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
      form.append(("client_assertion", String(decoding: assertion, as: UTF8.self)))
    }
    return Posting(fields: fields, body: Array(FormEncoding.encode(form).utf8))
  }
}
