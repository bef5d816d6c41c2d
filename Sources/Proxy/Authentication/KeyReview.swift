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

  /// Whether nobody can say when it ends: an answer of unknown length, or a call of gRPC, whose client may be the one
  /// that streams. What announces its length is let through to its end.
  private var isStream: Bool { answer.isOpenEnded || delivery.stream != nil && request.head.isGRPC }

  private func isKeyKept(_ fresh: Snapshot) -> Bool {
    guard let caller else { return true }
    let name = snapshot.configuration.issuers[caller.issuer].policy.issuer
    return fresh.configuration.issuers.indices.contains { issuer in
      fresh.configuration.issuers[issuer].policy.issuer == name && worker.isKept(caller.proof, by: issuer)
    }
  }
}

extension Worker {
  /// Whether the proof still counts with the keys of this issuer of the newest configuration.
  func isKept(_ proof: Proof, by issuer: Int) -> Bool {
    keySets.indices.contains(issuer) && proof.isKept(by: keySets[issuer])
  }
}
