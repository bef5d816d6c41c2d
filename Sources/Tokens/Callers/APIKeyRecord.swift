// An API key as a store keeps it: a JSON object under the digest of the key. Anybody who can write to the store may
// have written it, so nothing in it is believed before it was read whole.

import Bytes
import Cryptography
import JSON

package struct APIKeyRecord: Sendable {
  package let id: [UInt8]
  /// Of the key.
  private let digest: [UInt8]
  /// A JSON object.
  let claims: JSONDocument
  /// The first second, since 1970, in which the key is over.
  let expiresAt: Int64
  /// The first second in which the store must be asked again.
  private let freshUntil: Int64

  // LIMIT: what a file's entry may say, and the names around it.
  private static let byteCountMax = 32 * 1024

  /// Nil for what is no entry: `id`, and where they are there `claims`, `scopes` and `expires`, in seconds since 1970.
  package init?(_ text: Span<UInt8>, of digest: [UInt8], freshUntil: Int64) {
    guard text.count <= Self.byteCountMax, let entry = try? JSONDocument(text.copied()),
      entry.kind(entry.root) == .object,
      let id = entry.member("id", of: entry.root).flatMap({ entry.stringBytes(at: $0) }), !id.isEmpty,
      let claims = Self.claims(of: entry, id: id), let document = try? JSONDocument(claims),
      (try? ClaimsCheck.subject(document)) != nil
    else { return nil }
    var end = Int64.max
    if let node = entry.member("expires", of: entry.root) {
      guard let seconds = entry.integer(at: node), seconds >= 0 else { return nil }
      end = seconds
    }
    self.id = id
    self.digest = digest
    self.claims = document
    expiresAt = end
    self.freshUntil = freshUntil
  }

  /// As the entry of a file becomes the claims of its caller.
  private static func claims(of entry: JSONDocument, id: [UInt8]) -> [UInt8]? {
    var out = ByteQueue()
    out.append("{\"sub\":")
    var hasScope = false
    var rest = ByteQueue()
    var subject: Range<Int>?
    if let claims = entry.member("claims", of: entry.root) {
      guard entry.kind(claims) == .object else { return nil }
      for member in entry.members(of: claims) {
        let name = entry.rawRange(of: member.name)
        if entry.stringEquals(member.name, "sub".utf8.span) {
          subject = entry.rawRange(of: member.value)
          continue
        }
        hasScope =
          hasScope || entry.stringEquals(member.name, "scope".utf8.span)
          || entry.stringEquals(member.name, "scp".utf8.span)
        rest.append(",")
        rest.append(entry.bytes.span.extracting(name))
        rest.append(":")
        rest.append(entry.bytes.span.extracting(entry.rawRange(of: member.value)))
      }
    }
    if let subject {
      out.append(entry.bytes.span.extracting(subject))
    } else {
      JSONWriter.append(string: id.span, to: &out)
    }
    out.append(rest.span)
    guard let scopes = entry.member("scopes", of: entry.root) else {
      out.append("}")
      return out.copied()
    }
    guard entry.kind(scopes) == .array, !hasScope else { return nil }
    var words = ByteQueue()
    for element in entry.elements(of: scopes) {
      guard let scope = entry.stringBytes(at: element), ScopeToken.isValid(scope.span) else { return nil }
      if !words.isEmpty { words.append(" ") }
      words.append(scope.span)
    }
    if !words.isEmpty {
      out.append(",\"scope\":")
      JSONWriter.append(string: words.span, to: &out)
    }
    out.append("}")
    return out.copied()
  }

  /// - Parameter set: the index of the set in the configuration.
  package func verdict(set: Int, now: Int64) -> Verdict {
    if now >= expiresAt { return .refused(.apiKeyExpired, issuer: nil, subject: id) }
    guard let subject = try? ClaimsCheck.subject(claims) else { return .refused(.apiKeyInvalid, issuer: nil) }
    let credential = APIKeyCheck.storedCredential(digest)
    return .caller(
      Caller(
        credential: credential.span, issuer: nil, proof: .apiKey(set: set, freshUntil: freshUntil), claims: claims,
        payloadPart: nil, validity: TimeCheck.Validity(beginsAt: .min, endsAt: expiresAt), subject: subject,
        keyID: id))
  }
}

/// One word of `scope` (RFC 6749 §3.3).
package enum ScopeToken {
  /// Visible ASCII but for quotes and backslashes, and at least one character of it.
  package static func isValid(_ text: Span<UInt8>) -> Bool {
    if text.isEmpty { return false }
    for index in text.indices {
      let byte = text[index]
      if byte < 0x21 || byte > 0x7E || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return false }
    }
    return true
  }
}

/// The names of API keys in a store, behind its prefix.
package enum APIKeyStoreKey {
  /// `api_key:SET:` and the digest in hexadecimal digits.
  package static func of(_ digest: [UInt8], set: String, prefix: [UInt8]) -> [UInt8] {
    var key = ByteQueue()
    key.append(prefix)
    key.append("api_key:")
    key.append(set.utf8.span)
    key.append(":")
    key.append(digest: digest, count: digest.count)
    return key.copied()
  }

  /// The digest that a key is of. Nil for other keys.
  package static func digest(of key: Span<UInt8>, prefix: [UInt8]) -> [UInt8]? {
    let start = Array("api_key:".utf8)
    let from = prefix.count + start.count
    guard key.count > from + 65, key.extracting(0..<prefix.count).equals(prefix),
      key.extracting(prefix.count..<from).equals(start), key[key.count - 65] == UInt8(ascii: ":")
    else { return nil }
    return [UInt8](digest: key.extracting(key.count - 64..<key.count))
  }
}
