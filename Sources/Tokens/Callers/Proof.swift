// How it is known who a caller is, and so for how long a remembered caller may be believed.

/// The proof of one caller.
package enum Proof: Sendable {
  /// A key of the issuer signed the credential, by this algorithm.
  case signature(VerificationKey, SignatureAlgorithm)
  /// The source said so. Before this second its answer may serve further requests.
  case answer(Question.Source, freshUntil: Int64)
  /// The file has the key's digest, in the set with this index.
  case apiKey(set: Int)

  /// Whether the caller may go on with what is under way, now that its issuer has these keys (T27, T87). An answer
  /// depends on no key, and an API key only on the file.
  package func isKept(by keys: KeySet?) -> Bool {
    switch self {
    case .signature(let key, _): keys?.contains(sameKeyAs: key) ?? false
    case .answer, .apiKey: true
    }
  }

  /// Whether a remembered caller may serve one more request.
  func holds(in keys: KeySet?, at now: Int64) -> Bool {
    switch self {
    case .signature: isKept(by: keys)
    case .answer(_, let freshUntil): now < freshUntil
    case .apiKey: true
    }
  }
}
