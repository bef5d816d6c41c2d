// What a login needs to know of an OpenID provider, out of its discovery document (OpenID Connect Discovery 1.0 §3).

internal import JSON

/// The provider's end points. Their URLs obey the rules for URLs of keys: https, and none that leads from the world
/// into this network.
struct ProviderMetadata: Sendable, Equatable {
  let issuer: String
  /// Where browsers are sent.
  let authorizationEndpoint: FetchURL
  /// Where codes become tokens.
  let tokenEndpoint: FetchURL
  /// Where browsers are sent to log out there as well. Nil where the provider has no such place.
  let endSessionEndpoint: FetchURL?
  /// Whether answers carry `iss` (RFC 9207), so that one without it is not the provider's.
  let namesIssuerInAnswers: Bool
  /// Ways for a client to prove who it is. Nil where the document does not say, which means `client_secret_basic`.
  let authenticationMethods: [String]?
  /// What a client may sign its own statements with. Empty where the document does not say.
  let signingAlgorithms: [String]

  /// - Parameters:
  ///   - body: of the document.
  ///   - expected: the `issuer` that it must name, byte by byte.
  init(_ body: [UInt8], issuer expected: String, rules: Discovery) throws(RefreshFailure) {
    let (document, named) = try Discovery.read(body)
    guard named.utf8.elementsEqual(expected.utf8) else { throw .issuerMismatch(expected: expected, got: named) }
    issuer = named
    authorizationEndpoint = try Self.url("authorization_endpoint", document, rules)
    tokenEndpoint = try Self.url("token_endpoint", document, rules)
    endSessionEndpoint =
      document.member("end_session_endpoint", of: document.root) == nil
      ? nil : try Self.url("end_session_endpoint", document, rules)
    let flag = document.member("authorization_response_iss_parameter_supported", of: document.root)
    namesIssuerInAnswers = flag.flatMap { document.boolean(at: $0) } ?? false
    func list(_ name: String) -> [String]? {
      document.member(name, of: document.root).map { list in
        document.elements(of: list).compactMap { document.string(at: $0) }
      }
    }
    authenticationMethods = list("token_endpoint_auth_methods_supported")
    signingAlgorithms = list("token_endpoint_auth_signing_alg_values_supported") ?? []
    try Self.checkChallengeMethods(document)
  }

  private static func url(
    _ name: String, _ document: JSONDocument, _ rules: Discovery
  ) throws(RefreshFailure) -> FetchURL {
    guard let text = document.member(name, of: document.root).flatMap({ document.string(at: $0) }) else {
      throw .discoveryInvalid("no \(name)")
    }
    guard let url = FetchURL(text) else { throw .discoveryInvalid("\(name) is not an http(s) URL") }
    try rules.check(url)
    return url
  }

  /// A provider that lists its methods of PKCE without S256 would take the challenge for something else, or for
  /// nothing.
  private static func checkChallengeMethods(_ document: JSONDocument) throws(RefreshFailure) {
    guard let list = document.member("code_challenge_methods_supported", of: document.root) else { return }
    let methods = document.elements(of: list).compactMap { document.string(at: $0) }
    if !methods.contains("S256") { throw .discoveryInvalid("code_challenge_methods_supported has no S256") }
  }
}
