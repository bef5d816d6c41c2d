// What is known of revoked tokens of one issuer at one moment, as all workers share it. The control plane makes another
// one for each change.
//
// Invariant: what is not known refuses, unless the file says that it passes (T103).

import Bytes
import JSON
import Synchronization

/// What the operator requires of an issuer's revocation.
package struct RevocationRules: Sendable, Equatable {
  package enum StatusListUse: String, Sendable, CaseIterable {
    case off
    /// Tokens that name a list are looked up in it.
    case used
    /// All tokens have to name one.
    case required
  }

  /// What counts while nobody knows which tokens are revoked.
  package enum Unavailable: String, Sendable, CaseIterable { case refuse, pass }

  package var hasDenylist: Bool
  package var statusList = StatusListUse.off
  package var unavailable = Unavailable.refuse

  package init(hasDenylist: Bool, statusList: StatusListUse = .off, unavailable: Unavailable = .refuse) {
    self.hasDenylist = hasDenylist
    self.statusList = statusList
    self.unavailable = unavailable
  }
}

/// Immutable.
package final class Revocations: Sendable {
  package enum Finding: Equatable {
    case good
    case refused(TokenRefusal)
    /// Its list is not here.
    case listUnknown(uri: [UInt8])
  }

  package let rules: RevocationRules
  /// Nil where there is none that counts.
  package let denylist: Denylist?
  /// Those that count. Few.
  package let statusLists: [StatusList]
  /// Different for each that was ever made in this process. Never 0.
  package let generation: UInt64

  private static let lastGeneration = Atomic<UInt64>(0)

  package static func nextGeneration() -> UInt64 { lastGeneration.wrappingAdd(1, ordering: .relaxed).newValue }

  package init(_ rules: RevocationRules, denylist: Denylist? = nil, statusLists: [StatusList] = []) {
    self.rules = rules
    self.denylist = denylist
    self.statusLists = statusLists
    generation = Self.nextGeneration()
  }

  /// Whether a caller that was proved may still pass.
  /// - Parameter mayAsk: whether a list that is not here may still come.
  package func finding(on caller: Caller, mayAsk: Bool, now: Int64) -> Finding {
    if rules.hasDenylist {
      if let denylist {
        if Self.isNamed(caller, in: denylist, now: now) { return .refused(.tokenRevoked) }
      } else if rules.unavailable == .refuse {
        return .refused(.revocationUnavailable)
      }
    }
    // Only what the issuer has signed says where its status is. Of others the source has just said that they are good.
    guard rules.statusList != .off, Self.key(of: caller) != nil else { return .good }
    let reference: StatusReference?
    do throws(TokenRefusal) { reference = try StatusReference(caller.claims) } catch { return .refused(error) }
    guard let reference else { return rules.statusList == .required ? .refused(.claimMissing) : .good }
    guard let list = statusLists.first(where: { $0.uri == reference.uri }), now < list.expiresAt else {
      if mayAsk { return .listUnknown(uri: reference.uri) }
      return rules.unavailable == .refuse ? .refused(.revocationUnavailable) : .good
    }
    // Behind the end of the list nobody knows, and the token is to be refused (§8.3).
    return list.status(at: reference.index) == StatusList.valid ? .good : .refused(.tokenRevoked)
  }

  private static let jti = Array("jti".utf8)
  private static let sid = Array("sid".utf8)
  private static let iat = Array("iat".utf8)

  private static func isNamed(_ caller: Caller, in list: Denylist, now: Int64) -> Bool {
    let claims = caller.claims
    let issuedAt = (try? NumericDate.read(claims, iat))?.seconds
    if list.has(.issuer), list.includes(.issuer, Span(), issuedAt: issuedAt, now: now) { return true }
    if list.has(.token), names(.token, claims.member(jti, of: claims.root), claims, list, issuedAt, now) { return true }
    if list.has(.subject), names(.subject, caller.subject, claims, list, issuedAt, now) { return true }
    if list.has(.session), names(.session, claims.member(sid, of: claims.root), claims, list, issuedAt, now) {
      return true
    }
    guard list.has(.key), let keyID = key(of: caller)?.keyID else { return false }
    return list.includes(.key, keyID.span, issuedAt: issuedAt, now: now)
  }

  /// The key that has signed the token. Nil for what is not signed.
  private static func key(of caller: Caller) -> VerificationKey? {
    switch caller.proof {
    case .signature(let key, _), .confirmed(let key, _, _): key
    case .answer, .apiKey: nil
    }
  }

  private static func names(
    _ selector: DenylistSelector, _ node: JSONDocument.Index?, _ claims: JSONDocument, _ list: Denylist,
    _ issuedAt: Int64?, _ now: Int64
  ) -> Bool {
    guard let node else { return false }
    if let range = claims.plainStringRange(at: node) {
      let bytes = claims.bytes
      return list.includes(selector, bytes.span.extracting(range), issuedAt: issuedAt, now: now)
    }
    guard let text = claims.stringBytes(at: node) else { return false }
    return list.includes(selector, text.span, issuedAt: issuedAt, now: now)
  }
}
