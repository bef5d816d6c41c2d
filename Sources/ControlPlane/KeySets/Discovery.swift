// From an issuer's URL to the URL of its keys: OpenID Connect Discovery 1.0 §4 and RFC 8414 §3.
// Invariant: a URL of keys comes only out of a document whose `issuer` is the configured one, and obeys its URL rules.

internal import Configuration
internal import JSON

/// The rules of discovery, without I/O.
struct Discovery {
  let issuer: FetchURL
  let isInsecureAllowed: Bool

  /// Nil when the issuer is not an http(s) URL without a query (RFC 8414 §2).
  init?(issuer text: String, isInsecureAllowed: Bool) {
    guard let url = FetchURL(text), !text.contains("?") else { return nil }
    issuer = url
    self.isInsecureAllowed = isInsecureAllowed
  }

  /// Where the document may be, in the order to try: OpenID's place, then RFC 8414's, and for an issuer with a path
  /// OpenID's name in RFC 8414's place too (§5).
  var documentURLs: [String] {
    let text = issuer.text.hasSuffix("/") ? String(issuer.text.dropLast()) : issuer.text
    let openID = text + "/.well-known/openid-configuration"
    let path = issuer.target.hasSuffix("/") ? String(issuer.target.dropLast()) : issuer.target
    let origin = path.isEmpty ? text : String(text.dropLast(path.count))
    var urls = [openID, origin + "/.well-known/oauth-authorization-server" + path]
    if !path.isEmpty { urls.append(origin + "/.well-known/openid-configuration" + path) }
    return urls
  }

  /// Asks for the document at one place after the other: at the next only where nothing is at the one before, or some
  /// web page. Both who look for keys and who look for end points do it in this way.
  /// - Parameters:
  ///   - text: the issuer's URL.
  ///   - asked: becomes the URL that was asked last, or that the failure is about.
  ///   - read: what of the document is looked for.
  static func find<Found>(
    _ text: String, _ issuer: Issuer, asked: inout String?,
    fetch: (_ url: String) async throws(RefreshFailure) -> Document,
    read: (Discovery, _ body: [UInt8]) throws(RefreshFailure) -> Found
  ) async throws(RefreshFailure) -> Found {
    asked = text
    guard let discovery = Discovery(issuer: text, isInsecureAllowed: issuer.isInsecureAllowed) else {
      throw .fetch(.urlInvalid(text))
    }
    try discovery.issuer.checkConfigured(isInsecureAllowed: issuer.isInsecureAllowed)
    var first: RefreshFailure?
    for url in discovery.documentURLs {
      asked = url
      do throws(RefreshFailure) {
        return try read(discovery, try await fetch(url).body)
      } catch {
        switch error {
        case .fetch(.status(400..<500)), .fetch(.redirected), .notJSON:
          // The first address's answer is the one to report: it is where most issuers have the document.
          first = first ?? error
        default:
          throw error
        }
      }
    }
    asked = discovery.documentURLs.first
    throw first ?? .discoveryInvalid("not found")
  }

  /// The `jwks_uri` of a discovery document.
  /// - Parameter expected: the `issuer` that the document must name, byte by byte.
  func keysURL(in body: [UInt8], issuer expected: String) throws(RefreshFailure) -> String {
    let (document, named) = try Self.read(body)
    guard named.utf8.elementsEqual(expected.utf8) else { throw .issuerMismatch(expected: expected, got: named) }
    guard let text = document.member("jwks_uri", of: document.root).flatMap({ document.string(at: $0) }) else {
      throw .discoveryInvalid("no jwks_uri")
    }
    guard let url = FetchURL(text) else { throw .discoveryInvalid("jwks_uri is not an http(s) URL") }
    try check(url)
    return text
  }

  /// A discovery document, and the `issuer` that it names.
  static func read(_ body: [UInt8]) throws(RefreshFailure) -> (document: JSONDocument, issuer: String) {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(body)
    } catch {
      throw .notJSON
    }
    guard document.kind(document.root) == .object else { throw .discoveryInvalid("not an object") }
    guard let issuer = document.member("issuer", of: document.root).flatMap({ document.string(at: $0) }) else {
      throw .discoveryInvalid("no issuer")
    }
    return (document, issuer)
  }

  /// A document may not lead to plain http, nor from the world into this network, unless the operator says so (T24,
  /// T25).
  func check(_ url: FetchURL) throws(RefreshFailure) {
    if isInsecureAllowed { return }
    guard url.isSecure || (url.isLoopback && issuer.isLoopback) else { throw .urlNotAllowed("http: \(url)") }
    guard !url.isNearby || url.host == issuer.host || issuer.isNearby else {
      throw .urlNotAllowed("a private address: \(url)")
    }
  }
}

extension FetchURL {
  /// A URL that the configuration names: https, or http on loopback, or whatever `insecure: true` allows (T25).
  func checkConfigured(isInsecureAllowed: Bool) throws(RefreshFailure) {
    guard isSecure || isLoopback || isInsecureAllowed else { throw .urlNotAllowed("http: \(self)") }
  }
}
