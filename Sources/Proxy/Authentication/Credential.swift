// What the bytes are that a request shows, as far as the check of them differs.

import Bytes
import Tokens

enum Credential {
  /// A token that is checked here, with the keys of its issuer. What is malformed counts as one.
  case jwt
  /// Only this source can tell whose it is.
  case opaque(Question.Source)

  /// - Parameter issuers: those that the route takes.
  init(_ bytes: Span<UInt8>, issuers: [Int], rules: [IssuerRules], byteCountMax: Int) {
    let asked = issuers.first { rules.indices.contains($0) && rules[$0].isAskedForOpaqueTokens }
    // LIMIT: a longer one is not even asked about. The check of tokens refuses it.
    if let asked, bytes.count <= byteCountMax, !Self.isCompact(bytes) {
      self = .opaque(.introspection(issuer: asked))
    } else {
      self = .jwt
    }
  }

  /// Whether it has the three parts of a compact JWS (RFC 7515 §7.1).
  static func isCompact(_ bytes: Span<UInt8>) -> Bool {
    var dotCount = 0
    for index in bytes.indices where bytes[index] == UInt8(ascii: ".") { dotCount += 1 }
    return dotCount == 2
  }
}
