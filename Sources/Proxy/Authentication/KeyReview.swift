// What is under way obeys the keys of now: a stream does not outlive the key that let it in (T87).

import Configuration
import Tokens

extension Worker {
  /// Whether the proof still counts with the keys of this issuer of the newest configuration.
  func isKept(_ proof: Proof, by issuer: Int) -> Bool {
    keySets.indices.contains(issuer) && proof.isKept(by: keySets[issuer])
  }

  /// Whether the caller of a request that began with an earlier configuration still counts.
  func isKept(_ caller: Caller, of old: Snapshot, by fresh: Snapshot) -> Bool {
    let name = old.configuration.issuers[caller.issuer].policy.issuer
    return fresh.configuration.issuers.indices.contains { issuer in
      fresh.configuration.issuers[issuer].policy.issuer == name && fresh.issuerRules[issuer].isListed(caller)
        && isKept(caller.proof, by: issuer)
    }
  }
}
