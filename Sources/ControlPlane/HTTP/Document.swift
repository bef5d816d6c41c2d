// What a fetch brings back: bytes, and how long the sender says that they stay good.

package import Configuration

/// A message to send.
package struct Posting: Sendable {
  package var fields: [(name: String, value: String)]
  package var body: [UInt8]
  /// What follows the body, one behind the other: pieces that need not be copied to be one.
  var rest: [[UInt8]] = []

  package init(fields: [(name: String, value: String)], body: [UInt8]) {
    self.fields = fields
    self.body = body
  }
}

/// What a request for a document says beside its URL.
package struct FetchTerms: Sendable {
  /// Shown to the host of the URL.
  package var bearer: BearerToken?
  /// Media types, as `Accept` has them.
  package var accept = "application/jwk-set+json, application/json;q=0.9, */*;q=0.1"
  /// The ETag of what is there already. An answer of 304 then has no body.
  package var knownVersion: String?

  package init(bearer: BearerToken? = nil) { self.bearer = bearer }
}

/// The body of a 200 response, or what came in answer to a ``Posting``.
package struct Document: Sendable, Equatable {
  package var status: Int
  package var body: [UInt8]
  package var cacheControl: CacheControl
  package var retryAfter: String?
  /// Its ETag.
  package var version: String?

  package init(
    status: Int, body: [UInt8], cacheControl: CacheControl = .init(), retryAfter: String? = nil
  ) {
    self.retryAfter = retryAfter
    self.status = status
    self.body = body
    self.cacheControl = cacheControl
  }
}

/// The three directives of Cache-Control that matter to a private cache of key sets (RFC 9111 §5.2.2), and the Age that
/// the document has when it comes (§5.1).
package struct CacheControl: Sendable, Equatable {
  /// `max-age`, in seconds. The least one when it appears more than once. Nil when absent or not a number.
  package var maxAgeSeconds: Int64?
  /// How long other caches have held it. 0 when they do not say, or say no number.
  package var ageSeconds: Int64 = 0
  /// `no-store` or `no-cache`.
  package var isReuseForbidden = false

  package init() {}

  /// What is left of `max-age`.
  package var freshSeconds: Int64? { maxAgeSeconds.map { max(0, $0 - ageSeconds) } }

  /// Reads every Cache-Control and Age field of a response. What is not understood is passed over.
  package init(fields: [String], ages: [String] = []) {
    if let age = ages.first { ageSeconds = Self.seconds(age) ?? 0 }
    for directive in fields.flatMap({ $0.split(separator: ",") }) {
      let parts = directive.split(separator: "=", maxSplits: 1).map { part in
        part.filter { $0 != " " && $0 != "\t" && $0 != "\"" }
      }
      guard let name = parts.first?.lowercased() else { continue }
      if name == "no-store" || name == "no-cache" {
        isReuseForbidden = true
      } else if name == "max-age", parts.count == 2, let seconds = Self.seconds(parts[1]) {
        maxAgeSeconds = min(maxAgeSeconds ?? .max, seconds)
      }
    }
  }

  private static func seconds(_ text: String) -> Int64? {
    guard !text.isEmpty, text.utf8.allSatisfy({ 48...57 ~= $0 }) else { return nil }
    // A number too large to hold means the longest time there is (RFC 9111 §1.2.2).
    return Int64(text) ?? .max
  }
}
