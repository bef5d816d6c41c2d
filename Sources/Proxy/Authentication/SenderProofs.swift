// Whether who sent a token may use it (T101): by a proof that the key of the token has signed for this very request
// (RFC 9449), or by the client certificate of the connection (RFC 8705). A token that is remembered is not checked
// again. Its proof is, each time, and counts once.

import Bytes
import Configuration
import HTTPWire
import Tokens

extension Snapshot {
  /// One that is as large goes on. Another one still asks the one before, so that a reload forgets nothing.
  static func replayMemory(_ limits: Limits, after previous: ReplayMemory?) -> ReplayMemory {
    if let previous, previous.byteCount == limits.replayMemory { return previous }
    return ReplayMemory(byteCount: limits.replayMemory, after: previous)
  }

  static func shadowIssuers(_ configuration: GatewayConfiguration) -> [Int] {
    configuration.issuers.indices.filter { configuration.issuers[$0].mode == .shadow }
  }

  static func nonceIssuers(_ configuration: GatewayConfiguration) -> [Int] {
    configuration.issuers.indices.filter { configuration.issuers[$0].policy.isProofNonceDemanded }
  }

  static func proofNonceKeys(_ configuration: GatewayConfiguration) -> ProofNonceKeys? {
    if !configuration.issuers.contains(where: { $0.policy.isProofNonceDemanded }) { return nil }
    return ProofNonceKeys(secrets: configuration.secrets.map { Array($0.utf8) })
  }
}

/// What a worker needs for proofs.
struct ProofReader: ~Copyable {
  private var nonces = ProofNonces()
  private var generation: UInt64?
  /// `htu` in its normal form.
  var target = NormalTarget()

  /// Goes by the secrets of this configuration.
  mutating func useNonces(of snapshot: Snapshot) {
    if generation == snapshot.generation { return }
    generation = snapshot.generation
    nonces.install(snapshot.proofNonceKeys)
  }

  mutating func judge(_ nonce: [UInt8], _ rules: IssuerRules, now: Int64) -> ProofNonces.Judgement {
    nonces.judge(nonce, seconds: rules.proofWindowSeconds, leeway: rules.leewaySeconds, now: now)
  }

  mutating func currentNonce(_ rules: IssuerRules, now: Int64) -> [UInt8]? {
    nonces.current(seconds: rules.proofWindowSeconds, now: now)
  }
}

extension ProofDemand {
  /// Whether a token that is bound in this way is what the route demands.
  func isMet(by binding: SenderBinding?) -> Bool {
    switch self {
    case .none: true
    case .dpop: binding?.key.isEmpty == false
    case .mtls: binding?.certificate.isEmpty == false
    case .any: binding != nil
    }
  }
}

extension Exchange {
  /// Nil where the sender may use the credential. The request waits where a fleet has to say whether it knows the
  /// proof.
  func checkSender(of caller: Caller, _ route: CompiledRoute) -> StageOutcome? {
    answer.proofFault = nil
    guard let refusal = refusalOfSender(of: caller, route) else {
      if case .proof = wait { return .wait }
      return nil
    }
    answer.refusedSubject = caller.subjectBytes
    return refuseToken(refusal)
  }

  private func refusalOfSender(of caller: Caller, _ route: CompiledRoute) -> TokenRefusal? {
    if let refusal = refusalOfBinding(of: caller, route) { return refusal }
    guard let binding = caller.binding, !binding.key.isEmpty else {
      // A token that nothing binds is of another type than the scheme says (RFC 9449 §7.1).
      return request.isProofScheme ? refusal(.field) : nil
    }
    if !request.isProofScheme { return .proofMissing }
    switch request.head.count(of: .dpop) {
    case 0: return .proofMissing
    case 1: return refusalOfProof(of: caller, route)
    default: return refusal(.field)
    }
  }

  /// What does not depend on a proof.
  private func refusalOfBinding(of caller: Caller, _ route: CompiledRoute) -> TokenRefusal? {
    let binding = caller.binding
    if binding?.isUnderstood == false { return refusal(.thumbprint) }
    if !route.token.proof.isMet(by: binding) { return .proofMissing }
    guard let certificate = binding?.certificate, !certificate.isEmpty else { return nil }
    let shown = downstream?.client.security?.certificate?.thumbprint
    return shown.map { Array($0.utf8) } == certificate ? nil : .proofMissing
  }

  /// A token that came with the first message of a WebSocket, where there is no place for a proof. The one that the
  /// handshake has proved may come again.
  func refusalOfSender(inMessage caller: Caller, _ route: CompiledRoute) -> TokenRefusal? {
    if !caller.isBound, route.token.proof == .none { return nil }
    if let refusal = refusalOfBinding(of: caller, route) { return refusal }
    if caller.binding?.key.isEmpty != false || self.caller?.isSameCredential(as: caller) == true { return nil }
    return .proofMissing
  }

  func refusal(_ fault: ProofStep) -> TokenRefusal {
    answer.proofFault = fault
    return fault == .replay ? .proofReplayed : fault == .nonce ? .proofNonceDemanded : .proofInvalid
  }

  // MARK: The proof

  private func refusalOfProof(of caller: Caller, _ route: CompiledRoute) -> TokenRefusal? {
    guard let issuer = caller.issuer, snapshot.issuerRules.indices.contains(issuer) else { return refusal(.thumbprint) }
    let rules = snapshot.issuerRules[issuer]
    let now = worker.time.unixSeconds
    let begin = worker.steadyClock()
    let knownByteCount = caller.proofKeyByteCount
    let proof: CheckedProof
    do throws(ProofStep) {
      proof = try request.checkProof(of: caller, rules, now: now)
    } catch {
      if error == .nonce, rules.isProofNonceDemanded { giveNonce(rules, route) }
      return error == .nonce && !rules.isProofNonceDemanded ? refusal(.form) : refusal(error)
    }
    worker.counters.countVerification(proof.algorithm, nanoseconds: UInt64(clamping: worker.steadyClock() &- begin))
    if caller.proofKeyByteCount != knownByteCount { worker.tokenCache.weigh(caller, now: now) }
    let isSecure = downstream?.client.security != nil
    if !request.isTarget(proof.target, isSecure: isSecure, snapshot, &worker.proofs.target) { return refusal(.target) }
    if rules.isProofNonceDemanded, let refusal = refusalOfNonce(proof, rules, route) { return refusal }
    switch snapshot.replayMemory.note(proof.identity, until: proof.endsAt, now: now) {
    case .fresh:
      askFleet(about: proof, of: caller, leewaySeconds: rules.leewaySeconds)
      return nil
    case .seen: return refusal(.replay)
    case .full: return .proofsUnavailable
    }
  }

  private func giveNonce(_ rules: IssuerRules, _ route: CompiledRoute) {
    worker.proofs.useNonces(of: snapshot)
    guard !route.token.isInShadow(issuer),
      let nonce = worker.proofs.currentNonce(rules, now: worker.time.unixSeconds)
    else { return }
    answer.addedLines.append("DPoP-Nonce: ")
    answer.addedLines.append(nonce)
    answer.addedLines.append("\r\n")
  }

  private func refusalOfNonce(_ proof: CheckedProof, _ rules: IssuerRules, _ route: CompiledRoute) -> TokenRefusal? {
    let now = worker.time.unixSeconds
    worker.proofs.useNonces(of: snapshot)
    let judgement = proof.nonce.map { worker.proofs.judge($0, rules, now: now) }
    if judgement == .good { return nil }
    giveNonce(rules, route)
    return judgement == .ageing ? nil : refusal(.nonce)
  }
}

// MARK: For the operator

extension Exchange {
  /// Nil for a refusal that is not about who sent a token.
  func proofDetail(of refusal: TokenRefusal) -> RefusalDetail? {
    if refusal == .proofMissing {
      return RefusalDetail(
        expected: "the scheme DPoP with a proof, or the token's client certificate",
        got: request.isProofScheme ? "no field DPoP" : "a bearer token")
    }
    guard let fault = answer.proofFault else { return nil }
    let isKnown = issuer.map { snapshot.issuerRules.indices.contains($0) } ?? false
    let rules = isKnown ? issuer.map { snapshot.issuerRules[$0] } : nil
    let isSecure = downstream?.client.security != nil
    return request.proofDetail(of: fault, isSecure: isSecure, rules, snapshot, now: worker.time.unixSeconds)
  }
}

extension ClientRequest {
  fileprivate func proofDetail(
    of fault: ProofStep, isSecure: Bool, _ rules: IssuerRules?, _ snapshot: Snapshot, now: Int64
  ) -> RefusalDetail {
    let bytes = head.bytes.span
    let field = head.count(of: .dpop) == 1 ? head.first(.dpop)?.value ?? 0..<0 : 0..<0
    let got = ProofReport(bytes.extracting(field)).got(by: fault, now: now)
    let method = String(decoding: bytes.extracting(head.methodRange).copied(), as: UTF8.self)
    return RefusalDetail(
      expected: fault.expected(method: method, url: clientURL(isSecure: isSecure, snapshot), rules),
      got: got.isEmpty ? fault.fault : got)
  }

  /// A handshake of HTTP/2 is one of HTTP/1.1 to who asks a library for a WebSocket.
  private static let get = Array("GET".utf8)

  fileprivate func checkProof(
    of caller: Caller, _ rules: IssuerRules, now: Int64
  ) throws(ProofStep) -> CheckedProof {
    guard let field = head.first(.dpop) else { throw .field }
    let bytes = head.bytes.span
    let get = head.connectProtocol == nil ? [] : Self.get
    return try ProofCheck.check(
      bytes.extracting(field.value), of: caller, method: bytes.extracting(head.methodRange), or: get.span, rules: rules,
      now: now)
  }
}
