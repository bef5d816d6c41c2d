// What a token of the demo says, from the parameters of a request.

internal import Bytes
internal import Cryptography
internal import JSON
internal import Tokens

/// A token to be made. Every field has a default that the demo's gateway accepts.
package struct DemoToken: Sendable, Equatable {
  package var subject = "ada"
  package var audiences: [String]
  package var scope = "demo:read"
  /// From now on. Negative makes a token that has expired.
  package var expiresInSeconds: Int64 = 300
  /// Signed with a key that is in no key set, under the id of one that is.
  package var isForged = false
  package var algorithm = "RS256"
  /// Seconds since 1970. Nil says nothing about it.
  package var signedInAt: Int64?
  /// Further claims: `true` and `false` become booleans, anything else a string.
  package var claims: [(name: String, value: String)] = []

  package init(audience: String) { audiences = [audience] }

  /// Reads `sub`, `aud` (may be repeated), `scope`, `expires_in`, `alg`, `forged`. Any other name is a claim.
  package init(parameters: [(name: String, value: String)], audience: String) {
    self.init(audience: audience)
    let named = parameters.filter { $0.name == "aud" }.map(\.value)
    if !named.isEmpty { audiences = named }
    for (name, value) in parameters {
      switch name {
      case "aud", "grant_type", "client_id", "client_secret": break
      case "sub": subject = value
      case "scope": scope = value
      case "expires_in": expiresInSeconds = Int64(value) ?? expiresInSeconds
      case "alg": algorithm = value
      case "forged": isForged = value != "false"
      case "iss", "exp", "iat", "nbf", "jti": break
      default:
        // The last of one name counts: a token may not name a claim twice.
        claims.removeAll { $0.name == name }
        claims.append((name, value))
      }
    }
  }

  package static func == (a: DemoToken, b: DemoToken) -> Bool {
    a.subject == b.subject && a.audiences == b.audiences && a.scope == b.scope
      && a.expiresInSeconds == b.expiresInSeconds && a.isForged == b.isForged && a.algorithm == b.algorithm
      && a.signedInAt == b.signedInAt
      && a.claims.elementsEqual(b.claims) { $0 == $1 }
  }

  /// The claims as JSON.
  func payload(issuer: String, now: Int64) -> [UInt8] {
    var out = ByteQueue()
    out.append("{\"iss\":")
    JSONWriter.append(string: issuer, to: &out)
    out.append(",\"sub\":")
    JSONWriter.append(string: subject, to: &out)
    out.append(",\"aud\":[")
    for (index, audience) in audiences.enumerated() {
      if index > 0 { out.append(",") }
      JSONWriter.append(string: audience, to: &out)
    }
    out.append("],\"scope\":")
    JSONWriter.append(string: scope, to: &out)
    out.append(",\"iat\":")
    JSONWriter.append(integer: now, to: &out)
    out.append(",\"exp\":")
    JSONWriter.append(integer: now.addingReportingOverflow(expiresInSeconds).partialValue, to: &out)
    if let signedInAt {
      out.append(",\"auth_time\":")
      JSONWriter.append(integer: signedInAt, to: &out)
    }
    for (name, value) in claims {
      out.append(",")
      JSONWriter.append(string: name, to: &out)
      out.append(":")
      if value == "true" || value == "false" {
        out.append(text: value)
      } else {
        JSONWriter.append(string: value, to: &out)
      }
    }
    out.append("}")
    return out.span.copied()
  }
}
