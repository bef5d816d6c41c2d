// An issuer of tokens for the demo, on loopback: discovery, key set, tokens for the asking, rotation for the asking,
// logins.
// It gives a token to anyone: it is for trying the gateway out and for tests, and for nothing else.

internal import Bytes
internal import ControlPlane
package import Cryptography
import Glibc
internal import JSON
package import NIOCore
internal import Tokens

/// Runs from ``start(group:port:audience:loginSeconds:)`` until ``stop()``.
package actor DemoIssuer {
  /// What `iss` says, and where discovery begins: `http://127.0.0.1:PORT`.
  package nonisolated let url: String
  package nonisolated let port: Int
  package nonisolated let audience: String
  let fetcher: DocumentFetcher
  var logins = DemoLogins()
  var faults = DemoFaults()
  var calls = DemoCalls()
  /// Where its one client takes logout tokens, unless the request says another place.
  private(set) var backChannel: String?
  /// How long access tokens of logins last.
  let loginSeconds: Int64
  private let server: SmallHTTPServer
  private var keys: DemoKeys

  private init(
    server: SmallHTTPServer, keys: DemoKeys, audience: String, loginSeconds: Int64, fetcher: DocumentFetcher
  ) {
    self.server = server
    self.loginSeconds = loginSeconds
    self.fetcher = fetcher
    self.keys = keys
    self.audience = audience
    port = server.port
    url = "http://127.0.0.1:\(server.port)"
  }

  /// - Parameters:
  ///   - audience: of the tokens that name no other.
  ///   - loginSeconds: how long access tokens of logins last.
  package static func start(
    group: any EventLoopGroup, port: Int = 0, audience: String = "demo-api", loginSeconds: Int64 = 300
  ) async throws -> DemoIssuer {
    let keys = try DemoKeys()
    // The server needs the issuer and the issuer the server's port: requests wait here until both are there.
    let (issuers, provide) = AsyncStream.makeStream(of: DemoIssuer.self, bufferingPolicy: .bufferingNewest(1))
    let ready = Task { await issuers.first { _ in true } }
    let server: SmallHTTPServer
    do {
      server = try await SmallHTTPServer.start(port: port, group: group) { request in
        guard let issuer = await ready.value else { return .text("Not ready.\n", status: 503) }
        return await issuer.answer(request)
      }
    } catch {
      provide.finish()
      throw error
    }
    let issuer = DemoIssuer(
      server: server, keys: keys, audience: audience, loginSeconds: loginSeconds,
      fetcher: DocumentFetcher(group: group))
    provide.yield(issuer)
    provide.finish()
    return issuer
  }

  package func stop() async { await server.stop(within: .seconds(1)) }

  /// The client says where it takes logout tokens.
  package func register(backChannel url: String) { backChannel = url }

  /// A token, or nil when its algorithm is none of RS256, ES256 and EdDSA.
  package func mint(_ token: DemoToken) -> String? { mint(token, issuer: nil) }

  /// - Parameter issuer: in place of the own one.
  func mint(_ token: DemoToken, issuer: String?) -> String? {
    guard let entry = keys.current.first(where: { $0.algorithm.rawValue == token.algorithm }) else { return nil }
    guard let key = token.isForged ? try? DemoKeys.key(for: entry.algorithm) : entry.key else { return nil }
    let compact = encodeCompact(
      algorithm: entry.algorithm, header: "\"kid\":\"\(entry.id)\",\"typ\":\"at+jwt\"",
      payload: String(decoding: token.payload(issuer: issuer ?? url, now: Int64(time(nil))), as: UTF8.self), key: key)
    return compact.map { String(decoding: $0, as: UTF8.self) }
  }

  /// A token of another kind, with these claims as JSON.
  func sign(_ payload: String, type: String) -> String? {
    guard let entry = keys.current.first else { return nil }
    let compact = encodeCompact(
      algorithm: entry.algorithm, header: "\"kid\":\"\(entry.id)\",\"typ\":\"\(type)\"", payload: payload,
      key: entry.key)
    return compact.map { String(decoding: $0, as: UTF8.self) }
  }

  /// New signing keys. Those before stay in the set until the next rotation, unless they are to be dropped.
  package func rotate(isDroppingOld: Bool = false) throws(KeyError) { try keys.rotate(isDroppingOld: isDroppingOld) }

  private func answer(_ request: SmallRequest) async -> SmallResponse {
    switch (request.method, request.path) {
    case ("GET", "/.well-known/openid-configuration"), ("GET", "/.well-known/oauth-authorization-server"):
      return .json(discovery())
    case ("GET", "/keys"):
      var response = SmallResponse.json(keys.document)
      response.fields.append(("Cache-Control", "max-age=300"))
      return response
    case ("GET", "/token"):
      guard let token = mint(DemoToken(parameters: request.query, audience: audience)) else { return Self.noAlgorithm }
      return .text(token + "\n")
    case ("POST", "/token"):
      return await exchange(request)
    case ("GET", "/authorize"): return authorizationPage(request)
    case ("POST", "/authorize"): return authorize(request)
    case ("GET", "/logout"): return endSession(request)
    case ("POST", "/logout-everywhere"): return await logoutEverywhere(request)
    case ("POST", "/faults"):
      guard let wanted = DemoFaults(request.query) else { return .text("\(DemoFaults.names)\n", status: 400) }
      faults = wanted
      return .text("As you wish.\n")
    case ("GET", "/calls"):
      return .json(
        Array(
          """
          {"codes":\(calls.codes),"refreshes":\(calls.refreshes),"authentication":"\(calls.authentication)"}

          """.utf8))
    case ("GET", "/rotate"), ("POST", "/rotate"):
      do throws(KeyError) {
        try rotate(isDroppingOld: request.parameter("drop") == "true")
      } catch {
        return .text("No new keys: \(error)\n", status: 500)
      }
      return .text("Generation \(keys.generation) signs from now on.\n")
    case ("GET", "/"):
      return .text(Self.help)
    default:
      return .text("No such page. \(Self.help)", status: 404)
    }
  }

  /// The way OAuth clients ask (RFC 6749 §4): a form in, JSON out. Nobody's secret is looked at.
  private func exchange(_ request: SmallRequest) async -> SmallResponse {
    let form = SmallRequest.parameters(String(decoding: request.body, as: UTF8.self))
    if let granted = await grant(form, request) { return granted }
    let wanted = DemoToken(parameters: request.query + form, audience: audience)
    guard let token = mint(wanted) else { return Self.noAlgorithm }
    var out = ByteQueue()
    out.append("{\"access_token\":")
    JSONWriter.append(string: token, to: &out)
    out.append(",\"token_type\":\"Bearer\",\"expires_in\":")
    JSONWriter.append(integer: wanted.expiresInSeconds, to: &out)
    out.append("}\n")
    var response = SmallResponse.json(out.span.copied())
    response.fields.append(("Cache-Control", "no-store"))
    return response
  }

  private func discovery() -> [UInt8] {
    var out = ByteQueue()
    out.append("{\"issuer\":")
    JSONWriter.append(string: url, to: &out)
    out.append(",\"jwks_uri\":")
    JSONWriter.append(string: url + "/keys", to: &out)
    out.append(",\"token_endpoint\":")
    JSONWriter.append(string: url + "/token", to: &out)
    out.append(",\"authorization_endpoint\":")
    JSONWriter.append(string: url + "/authorize", to: &out)
    out.append(",\"end_session_endpoint\":")
    JSONWriter.append(string: url + "/logout", to: &out)
    out.append(
      """
      ,"response_types_supported":["code","token"],"subject_types_supported":["public"],\
      "grant_types_supported":["authorization_code","refresh_token","client_credentials"],\
      "code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true,\
      "id_token_signing_alg_values_supported":["RS256"],"backchannel_logout_supported":true,\
      "backchannel_logout_session_supported":true}

      """)
    return out.span.copied()
  }

  private static let noAlgorithm = SmallResponse.text("alg is one of RS256, ES256, EdDSA.\n", status: 400)

  private static let help = """
    An issuer for trying things out. Never let it sign for anything real.
      GET  /.well-known/openid-configuration   where everything is
      GET  /keys                               the key set
      GET  /token?sub=ada&scope=demo:read&aud=demo-api&expires_in=300&alg=RS256&forged=true&email=a@example.com
      POST /token                              the same as a form, answered in JSON
      POST /rotate                             new keys; ?drop=true drops those before at once
      GET  /authorize, /logout                 logins of OpenID Connect: code flow with PKCE
      POST /logout-everywhere?sub=ada&to=URL   ends a person's sessions, and says so to a client
      POST /faults?token=500                   does something wrong from now on; without a name nothing any more
      GET  /calls                              how often codes and refresh tokens were used

    """
}
