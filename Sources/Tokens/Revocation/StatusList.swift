// A status list (Token Status List, draft-ietf-oauth-status-list-21): the statuses of many tokens, a few bits for each.
// A token says which list has its own, and where in it.

import Bytes
package import JSON

/// Where the status of a token is: `status.status_list`.
package struct StatusReference: Sendable, Equatable {
  package let uri: [UInt8]
  package let index: Int

  private static let status = Array("status".utf8)
  private static let statusList = Array("status_list".utf8)
  private static let idx = Array("idx".utf8)
  private static let uriName = Array("uri".utf8)

  /// LIMIT: bytes of a URI, as of all that are fetched.
  private static let uriByteCountMax = 2048

  /// Of a token's claims. Nil where they name no list.
  package init?(_ claims: JSONDocument) throws(TokenRefusal) {
    guard let status = claims.member(Self.status, of: claims.root) else { return nil }
    if claims.kind(status) != .object { throw .claimInvalid }
    guard let list = claims.member(Self.statusList, of: status) else { return nil }
    guard let index = claims.member(Self.idx, of: list).flatMap({ claims.integer(at: $0) }), index >= 0,
      let uri = claims.member(Self.uriName, of: list).flatMap({ claims.stringBytes(at: $0) }), !uri.isEmpty,
      uri.count <= Self.uriByteCountMax
    else { throw .claimInvalid }
    self.uri = uri
    self.index = Int(index)
  }
}

/// One list, ready to be asked. Immutable, and shared by all workers.
package final class StatusList: Sendable {
  package let uri: [UInt8]
  /// Of each status: 1, 2, 4 or 8.
  private let bitCount: Int
  private let statuses: [UInt8]
  /// The first second in which it counts no more, since 1970. Int64.max is never.
  package let expiresAt: Int64

  /// What a status of 0 means. All others refuse: invalid (1), suspended (2), and what this version does not know.
  package static let valid: UInt8 = 0

  /// - Parameter statuses: not compressed any more.
  package init(_ facts: StatusListFacts, statuses: [UInt8]) {
    uri = facts.uri
    bitCount = facts.bitCount
    self.statuses = statuses
    expiresAt = facts.expiresAt
  }

  /// Tokens whose status it may have.
  package var count: Int { statuses.count * (8 / bitCount) }

  package var byteCount: Int { statuses.count }

  /// Nil where the list ends before the index. The first status is in the lowest bits of the first byte.
  package func status(at index: Int) -> UInt8? {
    let perByte = 8 / bitCount
    let place = index / perByte
    guard index >= 0, place < statuses.count else { return nil }
    let shift = UInt8(truncatingIfNeeded: index % perByte * bitCount)
    return statuses[place] >> shift & UInt8(truncatingIfNeeded: 1 << bitCount - 1)
  }
}
