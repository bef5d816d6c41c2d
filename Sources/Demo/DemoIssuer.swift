// An issuer of tokens for the demo, on loopback: discovery, key set, tokens for the asking, rotation for the asking.
// It gives a token to anyone: it is for trying the gateway out and for tests, and for nothing else.

internal import Bytes
internal import ControlPlane
package import Cryptography
import Glibc
internal import JSON
package import NIOCore
internal import Tokens

/// Runs from ``start(group:port:audience:)`` until ``stop()``.
package actor DemoIssuer {
  /// What `iss` says, and where discovery begins: `http://127.0.0.1:PORT`.
  package nonisolated let url: String
  package nonisolated let port: Int
  package nonisolated let audience: String
  private let server: SmallHTTPServer
  private var keys: DemoKeys

  private init(server: SmallHTTPServer, keys: DemoKeys, audience: String) {
    self.server = server
    self.keys = keys
    self.audience = audience
    port = server.port
    url = "http://127.0.0.1:\(server.port)"
  }

  /// - Parameter audience: of the tokens that name no other.
  package static func start(
    group: any EventLoopGroup, port: Int = 0, audience: String = "demo-api"
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
    let issuer = DemoIssuer(server: server, keys: keys, audience: audience)
    provide.yield(issuer)
    provide.finish()
    return issuer
  }

  package func stop() async { await server.stop(within: .seconds(1)) }

  /// A token, or nil when its algorithm is none of RS256, ES256 and EdDSA.
  package func mint(_ token: DemoToken) -> String? {
    guard let entry = keys.current.first(where: { $0.algorithm.rawValue == token.algorithm }) else { return nil }
    guard let key = token.isForged ? try? DemoKeys.key(for: entry.algorithm) : entry.key else { return nil }
    let compact = encodeCompact(
      algorithm: entry.algorithm, header: "\"kid\":\"\(entry.id)\",\"typ\":\"at+jwt\"",
      payload: String(decoding: token.payload(issuer: url, now: Int64(time(nil))), as: UTF8.self), key: key)
    return compact.map { String(decoding: $0, as: UTF8.self) }
  }

  /// New signing keys. Those before stay in the set until the next rotation, unless they are to be dropped.
  package func rotate(isDroppingOld: Bool = false) throws(KeyError) { try keys.rotate(isDroppingOld: isDroppingOld) }

  private func answer(_ request: SmallRequest) -> SmallResponse {
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
      return exchange(request)
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

  /// The way OAuth clients ask (RFC 6749 §4.4): a form in, JSON out. Nobody's credentials are looked at.
  private func exchange(_ request: SmallRequest) -> SmallResponse {
    let form = SmallRequest.parameters(String(decoding: request.body, as: UTF8.self))
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
    out.append(",\"response_types_supported\":[\"token\"],\"grant_types_supported\":[\"client_credentials\"]}\n")
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

    """
}
