// Tokens that are bound to a client certificate (RFC 8705 §3): of use over a connection with it, and over no other.

import Foundation
import TestSupport
import Testing
import Tokens

@Suite("Tokens that are bound to a certificate", .timeLimit(.minutes(10)), .needs("openssl"))
struct CertificateBoundTests {
  @Test("T101: Such a token passes over a connection with its certificate only, whatever the route demands")
  func connections() async throws {
    let key = try TestKey(.es256)
    let certificates = try await TestCertificates.shared()
    let digest = try await ChildProcess.run(
      "sh",
      [
        "-c",
        "openssl x509 -in \(certificates.certificate(.client)) -outform DER | openssl dgst -sha256 -binary | base64 | "
          + "tr '+/' '-_' | tr -d '='",
      ]
    ).standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
    let upstream = try await TestUpstream.echo()
    let file =
      try await SecureGateway.listener(tls: "client_certificates: optional, client_ca: \"\(certificates.authority)\"")
        + """
        issuers: { login: { issuer: "\(TokenDoor.issuer)", audiences: [api], jwks: keys.json } }
        upstreams: { echo: { servers: ["\(upstream.address)"] } }
        routes:
          - { path: /none, auth: login, identity: { headers: { X-User: sub } }, upstream: echo }
          - { path: /mtls, auth: { issuers: [login], proof: mtls }, upstream: echo }
          - path: /known
            auth: { issuers: [login], proof: mtls, resource: "https://api.example.com/known" }
            upstream: echo
          - { path: /any, auth: { issuers: [login], proof: any }, upstream: echo }
        """
    let process = try await GatewayProcess.start(file, files: ["keys.json": keySetText(key)])
    let gateway = SecureGateway(certificates: certificates, process: process)
    let (with, without) = (try await gateway.connect(showing: .client), try await gateway.connect())
    let client = try TestProof()
    func token(_ binding: JSONValue) -> String { TokenDoor.token(key, ["cnf": binding]) }
    let bound = token(["x5t#S256": .string(digest)])
    let other = token(["x5t#S256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"])
    let both = token(["x5t#S256": .string(digest), "jkt": .string(client.thumbprint)])
    let plain = TokenDoor.token(key)
    func verdict(_ client: RawClient, _ path: String, _ fields: [String]) async throws -> String {
      let response = try await client.get(path, fields)
      return response.code ?? (response.status == 200 ? "passed" : "\(response.status)")
    }
    for path in ["/none", "/mtls", "/any"] {
      #expect(try await verdict(with, path, ["Authorization: Bearer \(bound)"]) == "passed", "\(path)")
      #expect(try await verdict(without, path, ["Authorization: Bearer \(bound)"]) == "proof_missing", "\(path)")
      #expect(try await verdict(with, path, ["Authorization: Bearer \(other)"]) == "proof_missing", "\(path)")
      #expect(
        try await verdict(with, path, ["Authorization: Bearer \(plain)"])
          == (path == "/none" ? "passed" : "proof_missing"))
      // Both are required where both are named.
      let url = "https://test/\(path.dropFirst())"
      #expect(try await verdict(with, path, client.fields("GET", url, of: both)) == "passed", "\(path)")
      #expect(try await verdict(without, path, client.fields("GET", url, of: both)) == "proof_missing", "\(path)")
      #expect(try await verdict(with, path, ["Authorization: Bearer \(both)"]) == "proof_missing", "\(path)")
      #expect(
        try await verdict(with, path, ["Authorization: DPoP \(bound)", "DPoP: \(client.make("GET", url, of: bound))"])
          == "proof_invalid")
    }
    let refused = try await without.get("/mtls")
    #expect(refused["WWW-Authenticate"] == "Bearer realm=\"catraca\"")
    let metadata = try await without.get("/.well-known/oauth-protected-resource/known").text
    #expect(metadata.contains("\"tls_client_certificate_bound_access_tokens\": true") && !metadata.contains("dpop"))
    // Nobody else's word on the certificate counts.
    let forged = ["X-Client-Cert: \(digest)", "X-SSL-Client-SHA256: \(digest)", "Authorization: Bearer \(bound)"]
    #expect(try await verdict(without, "/none", forged) == "proof_missing")
  }
}
