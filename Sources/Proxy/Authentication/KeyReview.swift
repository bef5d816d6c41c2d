// What is under way obeys the keys of now: a stream does not outlive the key that let it in (T87).

import Configuration
import HTTPWire
import Tokens

extension Exchange {
  /// A configuration or a key set took over.
  func review(_ fresh: Snapshot) {
    if tunnel != nil { return reviewTunnel(fresh) }
    if isStream, !isKeyKept(fresh) { refuse(.token(.keyUnknown)) }
  }

  /// Whether nobody can say when it ends: an answer of unknown length, or a call of gRPC, whose client may be the one that
  /// streams. What announces its length is let through to its end.
  private var isStream: Bool { isAnswerOpenEnded || upstream != nil && head.isGRPC }

  private func isKeyKept(_ fresh: Snapshot) -> Bool {
    guard let token else { return true }
    let name = snapshot.configuration.issuers[token.issuer].policy.issuer
    return fresh.configuration.issuers.indices.contains { issuer in
      fresh.configuration.issuers[issuer].policy.issuer == name && isKept(token.key, by: issuer)
    }
  }

  /// Whether the issuer of the newest configuration still has the key.
  func isKept(_ key: VerificationKey, by issuer: Int) -> Bool {
    worker.keySets.indices.contains(issuer) && worker.keySets[issuer]?.contains(sameKeyAs: key) ?? false
  }
}
