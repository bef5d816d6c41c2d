// Configurations of the bench, read from text by the reader that the gateway uses.

import Configuration
import Cryptography
import Testing
import Tokens

@testable import Proxy

/// The model of a text. A listener and an upstream `app` of one server are in front of it unless it has its own.
func configuration(_ text: String) throws -> GatewayConfiguration {
  var whole = text + "\n"
  if !text.contains("listeners:") { whole += "listeners: [{ address: 127.0.0.1:0 }]\n" }
  if !text.contains("upstreams:") { whole += "upstreams: { app: { servers: [10.0.0.1:9000] } }\n" }
  switch ConfigurationReader.read(
    text: whole, file: "gateway.conf", folder: "", environment: [:],
    readFile: { path in throw UnreadableFile(path: path) })
  {
  case .success(let loaded): return loaded.configuration
  case .failure(let errors):
    Issue.record("\(errors)")
    throw errors
  }
}

private struct UnreadableFile: Error {
  var path: String
}

/// Everything goes to `app`, open to all.
let openRoutes = "routes: [{ path: /*, auth: public, upstream: app }]"

/// An issuer with its key. Its tokens are good at the bench's beginning and for an hour.
struct BenchIssuer {
  let key: SigningKey
  let keyID: String

  init(keyID: String = "key-1") throws {
    key = try SigningKey.generate(.edwards(.ed25519))
    self.keyID = keyID
  }

  /// The `issuers:` section with this issuer under the name `login`.
  var section: String { "issuers: { login: { issuer: i, audiences: [a], jwks: \(keySetText) } }" }

  /// The same issuer with tenants, whose names are the whole `iss` and the claim `org`.
  func section(tenants: String) -> String {
    section.replacing("issuer: i,", with: "issuer: \"{org}\", tenants: \(tenants),")
  }

  private var keySetText: String {
    String(decoding: KeySetWriter.encode([(id: keyID, key: key.publicKey, algorithm: nil)]), as: UTF8.self)
  }

  func keySet() throws -> KeySet {
    let bytes = Array(keySetText.utf8)
    return try KeySet.parse(bytes.span, algorithms: [.edDSA])
  }

  /// A token for `alice`. `more` are further members with a comma in front.
  func token(
    _ more: String = "", issuer: String = "i", keyID: String? = nil, seconds: Int64 = 3600
  ) throws -> String {
    let expiry = Bench.unixMilliseconds / 1000 + seconds
    return try token(
      payload: "{\"iss\":\"\(issuer)\",\"aud\":\"a\",\"sub\":\"alice\",\"exp\":\(expiry)\(more)}", keyID: keyID)
  }

  /// A token with these claims alone.
  func token(payload: String, keyID: String? = nil) throws -> String {
    let bytes = encodeCompact(
      algorithm: .edDSA, header: "\"kid\":\"\(keyID ?? self.keyID)\"", payload: payload, key: key)
    return String(decoding: try #require(bytes), as: UTF8.self)
  }
}
