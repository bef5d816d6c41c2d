// A session as a store outside of this process keeps it: one run of bytes. Anybody who can write to the store may have
// written it, so nothing in it is believed before it was read whole.

import Bytes
import JSON

/// In the store: a version, the numbers below in a fixed place, and texts with their lengths. Scripts change the moment
/// of the last use, the fence and the tokens, and nothing else.
package struct SessionValue: Sendable, Equatable {
  /// In seconds since 1970, when a request used it.
  package var usedAt: Int64
  /// See ``replacementOffset``.
  package var fence: UInt64
  package var beganAt: Int64
  package var endsAt: Int64
  package var idleSeconds: Int64
  /// The name of the session's rules.
  package var session: String
  /// The name of the issuer.
  package var issuer: String
  /// The text of a JSON object.
  package var claims: [UInt8]
  /// As ``SealingKeys`` have sealed them, or empty.
  package var sealedTokens: [UInt8]

  private static let version: UInt8 = 1
  /// Where the last use is.
  package static let useRange = 1..<9
  /// Where the fence is, behind which everything is what belongs to it: who replaces tokens writes from here on.
  package static let replacementOffset = 9
  private static let headByteCount = 41

  // LIMIT: what the file allows for names, and far more than the claims of a token.
  private static let nameByteCountMax = 255
  private static let textByteCountMax = 256 * 1024

  /// Of a session that begins.
  package init(_ record: SessionRecord, sealedTokens: [UInt8], now: Int64) {
    usedAt = now
    fence = 0
    beganAt = now
    endsAt = now &+ record.lifetimeSeconds
    idleSeconds = record.idleSeconds
    session = record.session
    issuer = record.issuer
    claims = record.claims
    self.sealedTokens = sealedTokens
  }

  /// Nil for everything that is not written as ``encoded`` writes it.
  package init?(_ bytes: Span<UInt8>) {
    guard bytes.count >= Self.headByteCount, bytes[0] == Self.version else { return nil }
    func number(_ offset: Int) -> Int64? {
      var value: UInt64 = 0
      for index in (offset..<offset + 8).reversed() { value = value << 8 | UInt64(bytes[index]) }
      // LIMIT: a moment or a length of time with which can be reckoned.
      return value < 1 << 48 ? Int64(value) : nil
    }
    var offset = Self.headByteCount
    func text(_ byteCountMax: Int) -> Range<Int>? {
      guard bytes.count - offset >= 4 else { return nil }
      var count = 0
      for index in (offset..<offset + 4).reversed() { count = count << 8 | Int(bytes[index]) }
      offset += 4
      guard count <= byteCountMax, count <= bytes.count - offset else { return nil }
      defer { offset += count }
      return offset..<offset + count
    }
    guard let usedAt = number(1), let fence = number(9), let beganAt = number(17), let endsAt = number(25),
      let idleSeconds = number(33), idleSeconds > 0,
      let session = text(Self.nameByteCountMax), let issuer = text(Self.nameByteCountMax),
      let claims = text(Self.textByteCountMax), let tokens = text(Self.textByteCountMax), offset == bytes.count
    else { return nil }
    self.usedAt = usedAt
    self.fence = UInt64(fence)
    self.beganAt = beganAt
    self.endsAt = endsAt
    self.idleSeconds = idleSeconds
    self.session = bytes.extracting(session).text()
    self.issuer = bytes.extracting(issuer).text()
    self.claims = bytes.extracting(claims).copied()
    sealedTokens = bytes.extracting(tokens).copied()
  }

  /// Nil for what would not be read again.
  package var encoded: [UInt8]? {
    guard session.utf8.count <= Self.nameByteCountMax, issuer.utf8.count <= Self.nameByteCountMax,
      claims.count <= Self.textByteCountMax, sealedTokens.count <= Self.textByteCountMax
    else { return nil }
    var out = ByteQueue()
    out.append(Self.version)
    out.append(littleEndian: UInt64(clamping: usedAt))
    out.append(littleEndian: fence)
    for number in [beganAt, endsAt, idleSeconds] { out.append(littleEndian: UInt64(clamping: number)) }
    for text in [Array(session.utf8), Array(issuer.utf8), claims, sealedTokens] {
      out.append(littleEndian: UInt32(clamping: text.count))
      out.append(text)
    }
    return out.copied()
  }

  /// A moment as it is at ``useRange``.
  package static func encoded(_ moment: Int64) -> [UInt8] {
    var out = ByteQueue()
    out.append(littleEndian: UInt64(clamping: moment))
    return out.copied()
  }

  /// A fence as it is behind ``replacementOffset``.
  package static func encoded(fence: UInt64) -> [UInt8] {
    var out = ByteQueue()
    out.append(littleEndian: fence)
    return out.copied()
  }

  /// `sub` of the claims. Empty without one.
  package var subject: [UInt8] { claim("sub") }
  /// `sid`, by which the issuer knows the session. Empty without one.
  package var providerSession: [UInt8] { claim("sid") }

  private func claim(_ name: String) -> [UInt8] {
    guard let document = try? JSONDocument(claims) else { return [] }
    return document.member(name.utf8.span, of: document.root).flatMap { document.stringBytes(at: $0) } ?? []
  }

  /// How long the store has to keep it from now on, used now. 0 for one that is over.
  package func secondsLeft(at now: Int64) -> Int64 { max(0, min(idleSeconds, endsAt &- now)) }

  /// Whether the moment of its last use is to be written again: a tenth of the idle time is the exactness.
  package func isUseDue(at now: Int64) -> Bool { now &- usedAt >= useInterval }

  /// For so long it may be remembered, so that a use is noted in time.
  package func secondsUntilUse(at now: Int64) -> Int64 { max(0, usedAt &+ useInterval &- now) }

  private var useInterval: Int64 { max(1, idleSeconds / 10) }
}

/// The names of keys in a store, behind its prefix. Nothing of a cookie or of a person can be read in them.
package enum SessionStoreKey {
  private static let start = Array("session:".utf8)

  /// Of a session.
  package static func of(_ digest: [UInt8], prefix: [UInt8]) -> [UInt8] {
    var key = ByteQueue()
    key.append(prefix)
    key.append(start)
    key.append(digest: digest, count: digest.count)
    return key.copied()
  }

  /// The digest that a key is of. Nil for other keys.
  package static func digest(of key: Span<UInt8>, prefix: [UInt8]) -> [UInt8]? {
    let from = prefix.count + start.count
    guard key.count == from + 64, key.extracting(0..<prefix.count).equals(prefix),
      key.extracting(prefix.count..<from).equals(start)
    else { return nil }
    return [UInt8](digest: key.extracting(from..<key.count))
  }
}
