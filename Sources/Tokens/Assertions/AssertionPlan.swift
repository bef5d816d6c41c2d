// What an assertion says of a caller: who signs, for whom, until when, and which of the caller's claims.

import Bytes
import Cryptography
import JSON

/// Prepared once for each signer and audience of a configuration.
package final class AssertionPlan: Sendable {
  /// `{"iss":"…","aud":"…"`.
  private let beginning: [UInt8]
  private let lifetimeSeconds: Int64
  private let claims: [ClaimPath]
  private let members: [Member]

  /// A member of the assertion: a claim, or an object with members of its own.
  private struct Member: Sendable {
    /// With its quotes and the colon.
    let name: [UInt8]
    var claim: ClaimPath?
    var members: [Member] = []
  }

  /// - Parameter claims: none leads to, or is a part of, another. None is a registered claim that the gateway sets.
  package init(issuer: String, audience: String, lifetimeSeconds: Int64, claims: [ClaimPath]) {
    beginning = Array("{\"iss\":\(JSONWriter.quoted(issuer)),\"aud\":\(JSONWriter.quoted(audience))".utf8)
    self.lifetimeSeconds = max(1, lifetimeSeconds)
    self.claims = claims
    members = Self.members(claims.map { ($0.parts[...], $0) })
  }

  private static func members(_ claims: [(parts: ArraySlice<String>, claim: ClaimPath)]) -> [Member] {
    var groups: [(name: String, claims: [(parts: ArraySlice<String>, claim: ClaimPath)])] = []
    for (parts, claim) in claims {
      guard let name = parts.first else { continue }
      if let index = groups.firstIndex(where: { $0.name == name }) {
        groups[index].claims.append((parts.dropFirst(), claim))
      } else {
        groups.append((name, [(parts.dropFirst(), claim)]))
      }
    }
    return groups.map { group in
      var member = Member(name: Array("\(JSONWriter.quoted(group.name)):".utf8))
      if let leaf = group.claims.first(where: { $0.parts.isEmpty }) {
        member.claim = leaf.claim
      } else {
        member.members = Self.members(group.claims)
      }
      return member
    }
  }

  /// The one that is remembered with the caller, or a new one. It never outlives the caller's credential.
  /// - Returns: nil when it cannot be signed. `isNew` where the caller keeps more memory than before.
  package func assertion(
    of caller: Caller, by signer: AssertionSigner, now: Int64
  ) -> (assertion: Assertion, isNew: Bool)? {
    if let known = caller.assertion(of: self, by: signer, now: now) { return (known, false) }
    let end = min(now &+ lifetimeSeconds, caller.expiresAt)
    guard let id = RandomBytes.make(16) else { return nil }
    let payload = payload(of: caller, now: now, end: end, id: Base64URL.encode(id.span))
    guard let token = signer.sign(payload.span, now: now) else { return nil }
    let assertion = Assertion(
      plan: self, signer: signer, token: token, renewedAt: now &+ max(1, lifetimeSeconds / 2), expiresAt: end)
    caller.keep(assertion)
    return (assertion, true)
  }

  private func payload(of caller: Caller, now: Int64, end: Int64, id: [UInt8]) -> [UInt8] {
    var text = ByteQueue()
    text.append(beginning)
    text.append(",\"iat\":")
    JSONWriter.append(integer: now, to: &text)
    text.append(",\"exp\":")
    JSONWriter.append(integer: end, to: &text)
    text.append(",\"jti\":\"")
    text.append(id)
    text.append("\"")
    for claim in claims where claim.parts.count > 1 {
      guard let node = caller.claims.member(claim.bytes, of: caller.claims.root) else { continue }
      text.append(",")
      JSONWriter.append(string: claim.bytes.span, to: &text)
      text.append(":")
      text.append(value: node, of: caller)
    }
    for member in members { append(member, of: caller, isFirst: false, to: &text) }
    text.append("}")
    return text.copied()
  }

  /// - Returns: whether there was anything to write. A claim that is null is as good as missing.
  @discardableResult
  private func append(_ member: Member, of caller: Caller, isFirst: Bool, to text: inout ByteQueue) -> Bool {
    let start = text.count
    if !isFirst { text.append(",") }
    text.append(member.name)
    if let claim = member.claim {
      // A claim whose own name has dots is written already.
      if claim.parts.count == 1 || caller.claims.member(claim.bytes, of: caller.claims.root) == nil,
        let node = caller.claim(claim), caller.claims.kind(node) != .null
      {
        text.append(value: node, of: caller)
        return true
      }
    } else {
      text.append("{")
      var isEmpty = true
      for inner in member.members where append(inner, of: caller, isFirst: isEmpty, to: &text) { isEmpty = false }
      if !isEmpty {
        text.append("}")
        return true
      }
    }
    text.truncate(to: start)
    return false
  }
}

extension ByteQueue {
  /// As the caller's credential has it.
  fileprivate mutating func append(value node: JSONDocument.Index, of caller: Caller) {
    let bytes = caller.claims.bytes
    append(bytes.span.extracting(caller.claims.rawRange(of: node)))
  }
}

/// One that was signed.
package struct Assertion {
  let plan: AssertionPlan
  let signer: AssertionSigner
  package let token: [UInt8]
  /// Seconds since 1970. From then on another one is signed.
  let renewedAt: Int64
  package let expiresAt: Int64
}
