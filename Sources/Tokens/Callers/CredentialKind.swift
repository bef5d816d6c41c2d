// What kind of credential has said who a caller is: `auth_kind` of the access log and of metrics.

package enum CredentialKind: Int, Sendable, CaseIterable {
  /// A token that a key of the issuer has signed.
  case jwt
  /// A token that the issuer alone can read.
  case opaque
  /// A token with a proof of its holder's key (RFC 9449).
  case dpop
  /// A token of the holder of the connection's certificate (RFC 8705).
  case mtls
  case apiKey
  case session

  package var label: String {
    switch self {
    case .jwt: "jwt"
    case .opaque: "opaque"
    case .dpop: "dpop"
    case .mtls: "mtls"
    case .apiKey: "api_key"
    case .session: "session"
    }
  }
}

extension Caller {
  package var kind: CredentialKind {
    if let binding { return binding.key.isEmpty ? .mtls : .dpop }
    return switch proof {
    case .signature, .confirmed, .answer(.keySet, _), .answer(.statusList, _): .jwt
    case .answer(.introspection, _): .opaque
    case .answer(.session, _): .session
    case .apiKey, .answer(.apiKey, _): .apiKey
    }
  }
}
