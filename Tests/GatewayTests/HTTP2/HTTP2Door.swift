// Two gateways in a row before an echo upstream: the second one is the first one's HTTP/2 server, so that whatever
// comes in at the door is carried over real sockets in both protocols.

import Foundation
import TestSupport
import Testing

struct HTTP2Door {
  let front: GatewayProcess
  let back: GatewayProcess
  let upstream: TestUpstream

  /// What clients trust.
  let authority: String

  /// `http://127.0.0.1:…`
  var clear: String { "http://127.0.0.1:\(front.ports[0])" }
  /// `https://localhost:…`
  var secure: String { "https://localhost:\(front.ports[1])" }

  /// Routes: `/near/*` to the upstream, `/far/*` through the other gateway, `/door` for tokens, `/fixed`.
  static func start(_ key: TestKey? = nil, upstream: TestUpstream) async throws -> HTTP2Door {
    let certificates = try await TestCertificates.shared()
    let back = try await GatewayProcess.start(Configurations.plain(upstream, routeKeys: "body_size: 1GiB"))
    let front = try await GatewayProcess.start(
      configuration(key, upstream, back, certificates), files: ["keys.json": keySetText(key.map { [$0.jwk()] } ?? [])])
    return HTTP2Door(front: front, back: back, upstream: upstream, authority: certificates.authority)
  }

  private static func configuration(
    _ key: TestKey?, _ upstream: TestUpstream, _ back: GatewayProcess, _ certificates: TestCertificates
  ) -> String {
    """
    listeners:
      - { address: "127.0.0.1:0" }
      - address: "127.0.0.2:0"
        tls: { certificates: [{ certificate: \(certificates.certificate(.good)), key: \(certificates.key(.good)) }] }
    upstreams:
      near: { servers: ["\(upstream.address)"] }
      far: { servers: ["127.0.0.1:\(back.port)"], protocol: http2 }
    \(key == nil ? "" : "issuers:\n" + issuerConfiguration(issuer: TokenDoor.issuer, jwks: "keys.json"))
    routes:
      - { path: "/near/*", auth: public, upstream: near, body_size: 1GiB }
      - { path: "/far/*", auth: public, upstream: far, body_size: 1GiB }
      - { path: "/fixed", auth: public, respond: { status: 200, body: fixed } }
      \(key == nil ? "" : "- { path: /door, auth: login, upstream: far, identity: { headers: { X-User: sub } } }")
    """
  }

  /// The listener with TLS has an address of its own.
  var resolve: [String] { ["--resolve", "localhost:\(front.ports[1]):127.0.0.2"] }

  /// curl with the flags of one way to speak: its output.
  func curl(_ way: Way, _ path: String, _ arguments: [String] = []) async throws -> String {
    let result = try await ChildProcess.run(
      "curl",
      ["-sS", "--noproxy", "*", "--max-time", "100", "--cacert", authority] + resolve + way.flags + arguments
        + [(way.isSecure ? secure : clear) + path])
    #expect(result.status == 0, "curl \(way) \(path): \(result.standardError)")
    return result.standardOutput
  }

  enum Way: String, CaseIterable {
    case http1, http2, secureHTTP1, secureHTTP2

    var isSecure: Bool { self == .secureHTTP1 || self == .secureHTTP2 }

    var flags: [String] {
      switch self {
      case .http1, .secureHTTP1: ["--http1.1"]
      case .http2: ["--http2-prior-knowledge"]
      case .secureHTTP2: ["--http2"]
      }
    }
    /// As curl's `http_version` says it.
    var version: String { self == .http1 || self == .secureHTTP1 ? "1.1" : "2" }
  }
}
