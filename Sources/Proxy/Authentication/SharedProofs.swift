// Proofs that a fleet remembers together: one counts at the gateway that is the first to tell the store of it (T101).
// What this process has seen is refused without asking. While the store does not answer, that alone counts.

import Bytes
import Configuration
import HTTPWire
import Redis
import Tokens

/// What a request with a proof waits for.
struct ProofWait {
  let ticket: StoreTicket
  /// Who passes with the proof.
  let caller: Caller
  let end: Int64
}

extension Exchange {
  /// Lets the request wait, where its issuer has a store and that one can be asked.
  /// - Parameter leewaySeconds: how far clocks may differ. Another gateway takes the proof for so much longer.
  func askFleet(about proof: CheckedProof, of caller: Caller, leewaySeconds: Int64) {
    let issuers = snapshot.configuration.issuers
    guard let issuer = caller.issuer, issuers.indices.contains(issuer), let index = issuers[issuer].proofStore,
      let store = worker.store(at: index, of: snapshot)
    else { return }
    var key = ByteQueue()
    key.append(store.prefix)
    key.append("proof:")
    key.append(digest: proof.identity, count: 16)
    let name = key.copied()
    var command = ByteQueue()
    command.beginCommand(partCount: 6)
    command.append(part: "SET")
    command.append(part: name.span)
    command.append(part: 1)
    command.append(part: "NX")
    command.append(part: "PX")
    command.append(part: (proof.endsAt - worker.time.unixSeconds + leewaySeconds) * 1000)
    guard let ticket = store.ask(command.span, about: name.span, for: self) else { return }
    wait = .proof(ProofWait(ticket: ticket, caller: caller, end: store.end))
  }

  /// - Parameter isKnown: whether another gateway was first.
  func conclude(_ wait: ProofWait, isKnown: Bool) {
    self.wait = nil
    waitConcluded(outcome(of: wait, isKnown: isKnown))
  }

  private func outcome(of wait: ProofWait, isKnown: Bool) -> StageOutcome {
    guard let route else { return refuseToken(.tokenMissing) }
    if let outcome = outcomeOfReload(route) { return outcome }
    if isKnown {
      answer.refusedSubject = wait.caller.subjectBytes
      return refuseToken(refusal(.replay))
    }
    if wait.caller.revocationGeneration != worker.revocations.generation,
      let outcome = checkRevocation(of: wait.caller, mayAsk: false)
    {
      return outcome
    }
    return admit(wait.caller, route)
  }
}
