// How it is known who a caller is, and so for how long a remembered caller may be believed.

/// The proof of one caller.
package enum Proof: Sendable {
  /// A key of the issuer signed the credential, by this algorithm.
  case signature(VerificationKey, SignatureAlgorithm)
  /// So it is, and the issuer said that the credential counts. Before this second its answer may serve further
  /// requests.
  case confirmed(VerificationKey, SignatureAlgorithm, freshUntil: Int64)
  /// The source said so. Before this second its answer may serve further requests.
  case answer(Question.Source, freshUntil: Int64)
  /// The file has the key's digest, in the set with this index, or a store has it. What a store said serves further
  /// requests before this second.
  case apiKey(set: Int, freshUntil: Int64)

  /// Whether the caller may go on with what is under way, now that its issuer has these keys (T27, T87). An answer
  /// depends on no key, and an API key on the file or the store that has it.
  package func isKept(by keys: KeySet?) -> Bool {
    switch self {
    case .signature(let key, _), .confirmed(let key, _, _): keys?.contains(sameKeyAs: key) ?? false
    case .answer, .apiKey: true
    }
  }

  /// Whether a remembered caller may serve one more request.
  func holds(in keys: KeySet?, at now: Int64) -> Bool {
    switch self {
    case .signature: isKept(by: keys)
    case .confirmed(_, _, let freshUntil): now < freshUntil && isKept(by: keys)
    case .answer(_, let freshUntil), .apiKey(_, let freshUntil): now < freshUntil
    }
  }

  /// The second from which the source of it has to be asked again.
  package var freshUntil: Int64 {
    switch self {
    case .answer(_, let end), .confirmed(_, _, let end), .apiKey(_, let end): end
    case .signature: .max
    }
  }
}
