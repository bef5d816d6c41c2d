// A line of the access log, as far as another file could decide otherwise.

import Configuration
import JSON
import Proxy
import Tokens

struct LoggedRequest {
  let request: TestRequest
  let client: String
  let route: String?
  /// The name of the caller's issuer.
  let issuer: String?
  let isSession: Bool
  /// The refusal's code, where the gateway has decided it from the request. Nil for what passed, and for what failed
  /// behind the gateway or for want of permits.
  let decision: String?

  /// Nil for a line that is not an object of an access log in the format `json`.
  init?(_ line: [UInt8]) {
    guard let document = try? JSONDocument(line), document.kind(document.root) == .object else { return nil }
    func text(_ name: String) -> String? {
      document.member(name, of: document.root).flatMap { document.string(at: $0) }
    }
    guard let method = text("method"), let path = text("path"), path.hasPrefix("/") else { return nil }
    var request = TestRequest()
    request.method = method
    request.isSecure = text("tls_version") != nil
    request.authority = text("host") ?? "localhost"
    request.target = path
    guard request.isWhole else { return nil }
    self.request = request
    client = text("client_ip") ?? "192.0.2.1"
    route = text("route")
    issuer = text("issuer")
    isSession = text("auth_kind") == "session"
    let reason = text("reason")
    decision = reason.flatMap { Self.decisions.contains($0) ? $0 : nil }
  }

  /// Why its token was refused, whatever route it came to.
  var tokenRefusal: String? {
    guard let decision, let refusal = TokenRefusal(rawValue: decision) else { return nil }
    switch refusal {
    case .tokenMissing, .sessionMissing, .apiKeyMissing, .scopeMissing, .claimMismatch: return nil
    default: return decision
    }
  }

  /// What the gateway decides from a request and its file alone.
  private static let decisions: Set<String> = Set(
    TokenRefusal.allCases.map(\.rawValue)
      + [
        GatewayRefusal.routeNotFound, .methodNotAllowed, .clientNotAllowed, .maintenance, .originNotAllowed,
        .pathNotNormal,
      ].map(\.rawValue))
}

extension TestRequest {
  /// Whether all of it can be in a head.
  var isWhole: Bool {
    [method, authority, target].allSatisfy { text in
      !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
  }
}
