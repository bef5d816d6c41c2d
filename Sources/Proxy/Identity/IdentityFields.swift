// From verified claims to header fields. Only a ``Caller`` gets here, and only a check makes one.

import Bytes
import Configuration
import JSON
import Tokens

/// What routes have in common that tell upstreams the same.
struct SharedIdentity: Hashable {
  let identity: Identity
  /// Of one of the route's sessions, unless the route's own rules are about Authorization.
  let isSessionTokenForwarded: Bool

  init(of route: Route, _ sessions: [SessionRules]) {
    identity = route.identity
    guard case .token(let requirement) = route.auth,
      requirement.sessions.contains(where: { sessions[$0].login?.forward == .accessToken })
    else {
      isSessionTokenForwarded = false
      return
    }
    let names = route.requestHeaders.remove + route.requestHeaders.set.map(\.name)
    isSessionTokenForwarded = !names.contains { $0.lowercased() == "authorization" }
  }
}

/// What upstreams learn of a caller. Routes that say the same share one, so that lines written for one of them count
/// for all.
final class IdentityRules: Sendable {
  /// `X-User-Id: ` and the claim that follows.
  fileprivate let fields: [(prefix: [UInt8], claim: ClaimPath)]
  fileprivate let payloadPrefix: [UInt8]?
  let isSessionTokenForwarded: Bool
  let assertion: AssertionField?

  init(_ shared: SharedIdentity, _ plans: inout AssertionPlans) {
    let identity = shared.identity
    isSessionTokenForwarded = shared.isSessionTokenForwarded
    fields = identity.headers.compactMap { header in
      if case .claim(let claim) = header.source { (Array("\(header.name): ".utf8), claim) } else { nil }
    }
    payloadPrefix = identity.payloadHeader.map { Array("\($0): ".utf8) }
    assertion = if let wanted = identity.assertion { plans.field(wanted) } else { nil }
  }
}

extension IdentityRules {
  /// Writes the lines for a caller that was proved just now, and keeps them beside it for all requests that follow.
  func keepFields(of caller: Caller) {
    var lines = ByteQueue()
    writeFields(of: caller, into: &lines)
    caller.keep(lines.span, of: self)
  }

  /// - Parameter withToken: whether the provider's token of a session may be among them.
  func writeFields(of caller: Caller, withToken: Bool, into head: inout ByteQueue) {
    if withToken || !isSessionTokenForwarded || caller.accessToken.isEmpty {
      writeFields(of: caller, into: &head)
    } else {
      writeClaims(of: caller, into: &head)
    }
  }

  func writeFields(of caller: Caller, into head: inout ByteQueue) {
    if let lines = caller.lines(of: self) { return head.appendPart(caller.bytes, lines) }
    writeClaims(of: caller, into: &head)
    if isSessionTokenForwarded, !caller.accessToken.isEmpty {
      head.append("Authorization: Bearer ")
      head.append(caller.accessToken)
      head.append("\r\n")
    }
  }

  private func writeClaims(of caller: Caller, into head: inout ByteQueue) {
    for index in fields.indices {
      guard let claim = caller.claim(fields[index].claim) else { continue }
      let lengthBefore = head.count
      head.append(fields[index].prefix)
      if head.append(claim: claim, of: caller.claims) {
        head.append("\r\n")
      } else {
        // null says as little as a missing claim: the header is left out.
        head.truncate(to: lengthBefore)
      }
    }
    if let payloadPrefix {
      head.append(payloadPrefix)
      head.appendPayload(of: caller)
      head.append("\r\n")
    }
  }
}

extension CompiledRoute {
  /// From the verified certificate of the client's connection.
  func writeFields(of certificate: ClientCertificateFacts, into head: inout ByteQueue) {
    for index in certificateFields.indices {
      let text = certificate.text(of: certificateFields[index].fact)
      if text.isEmpty { continue }
      head.append(certificateFields[index].prefix)
      let bytes = Array(text.utf8)
      head.append(fieldValue: bytes.span, keepsCommas: true)
      head.append("\r\n")
    }
  }
}

extension ByteQueue {
  fileprivate mutating func appendPayload(of caller: Caller) {
    if let part = caller.payloadPart { return appendPart(caller.bytes, part) }
    let claims = caller.claims.bytes
    let text = Base64URL.encode(claims.span)
    append(text.span)
  }

  fileprivate mutating func appendPart(_ bytes: [UInt8], _ range: Range<Int>) { append(bytes.span.extracting(range)) }
}
