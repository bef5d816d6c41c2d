// What is under way obeys the keys of now: a stream does not outlive the key that let it in (T87).

import Configuration
import Tokens

extension Worker {
  /// Whether the proof still counts with the keys of this issuer of the newest configuration.
  func isKept(_ proof: Proof, by issuer: Int) -> Bool {
    keySets.indices.contains(issuer) && proof.isKept(by: keySets[issuer])
  }

  /// Those that are remembered count no more, and what is under way with one that is gone ends.
  func reviewAPIKeys() {
    tokenCache.forgetAPIKeys()
    reviewStreams()
  }

  /// Whether an API key still makes the same caller. A store reports by itself what has changed there.
  func isKept(_ caller: Caller, in set: APIKeySet) -> Bool {
    if set.store != nil { return caller.storedAPIKeyDigest != nil }
    guard apiKeys.check.take(caller) else { return false }
    let digest = apiKeys.check.digest
    return set.keys.keeps(caller, digest: digest.span)
  }

  /// Whether the caller of a request that began with an earlier configuration still counts.
  func isKept(_ caller: Caller, of old: Snapshot, by fresh: Snapshot) -> Bool {
    if case .apiKey(let set, _) = caller.proof {
      let name = old.configuration.apiKeys[set].name
      return fresh.configuration.apiKeys.contains { $0.name == name && isKept(caller, in: $0) }
    }
    guard let issuer = caller.issuer else { return false }
    let name = old.configuration.issuers[issuer].policy.issuer
    return fresh.configuration.issuers.indices.contains { issuer in
      fresh.configuration.issuers[issuer].policy.issuer == name && fresh.issuerRules[issuer].isListed(caller)
        && isKept(caller.proof, by: issuer)
    }
  }
}
