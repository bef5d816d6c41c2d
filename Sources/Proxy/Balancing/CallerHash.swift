// What tells one caller from another, as a number: the same in every worker and in every gateway, so that all of them send
// a caller to the same place.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

/// `hash_on` or `split_on`, prepared.
final class PreparedKey: Sendable {
  let key: CallerKey
  /// Of the cookie or the header.
  let name: [UInt8]

  init(_ key: CallerKey) {
    self.key = key
    switch key {
    case .cookie(let name), .header(let name): self.name = Array(name.utf8)
    case .claim, .clientIP: name = []
    }
  }
}

/// Known to everyone who reads this: who chooses the bytes can choose where they lead. Bounded load is what helps there.
private enum PlacementKey {
  static let first: UInt64 = 0x6361_7472_6163_6131
  static let second: UInt64 = 0xA076_1D64_78BD_642F
}

extension Span where Element == UInt8 {
  var placementHash: UInt64 { keyedHash(PlacementKey.first, PlacementKey.second) }
}

extension Exchange {
  /// Nil where the request does not have the value.
  func callerHash(_ prepared: PreparedKey) -> UInt64? {
    switch prepared.key {
    case .claim(let path): caller.flatMap { Self.hash(of: path, in: $0) }
    case .cookie: Self.hash(ofCookie: prepared.name, in: head)
    case .header: Self.hash(ofHeader: prepared.name, in: head)
    case .clientIP: hashOfAddress()
    }
  }

  private static func hash(of path: ClaimPath, in caller: Caller) -> UInt64? {
    guard let node = caller.claim(path), caller.claims.kind(node) != .null else { return nil }
    return caller.claims.keyedHash(of: node, PlacementKey.first, PlacementKey.second)
  }

  private static func hash(ofCookie name: [UInt8], in head: borrowing RequestHead) -> UInt64? {
    guard let value = cookie(name, in: head) else { return nil }
    return head.bytes.span.extracting(value).placementHash
  }

  private static func hash(ofHeader name: [UInt8], in head: borrowing RequestHead) -> UInt64? {
    let bytes = head.bytes.span
    for index in head.fields.indices {
      let field = head.fields[index]
      guard field.name.count == name.count, foldedEquals(bytes.extracting(field.name), name.span) else { continue }
      return field.value.isEmpty ? nil : bytes.extracting(field.value).placementHash
    }
    return nil
  }

  private func hashOfAddress() -> UInt64? {
    guard let address = clientAddress, !address.isUnix else { return nil }
    return mixed(mixed(address.high) &+ address.low)
  }

  /// The value of the first cookie of that name which has one.
  static func cookie(_ name: [UInt8], in head: borrowing RequestHead) -> Range<Int>? {
    guard head.count(of: .cookie) > 0 else { return nil }
    let bytes = head.bytes.span
    for index in head.fields.indices where head.fields[index].known == .cookie {
      var pairs = CookiePairs(head.fields[index].value)
      while let pair = pairs.next(in: bytes) {
        if !pair.value.isEmpty, bytes.extracting(pair.name).equals(name) { return pair.value }
      }
    }
    return nil
  }
}

/// Every bit of the number on every bit of the result (the finaliser of MurmurHash3).
func mixed(_ number: UInt64) -> UInt64 {
  var bits = number
  bits = (bits ^ bits >> 33) &* 0xFF51_AFD7_ED55_8CCD
  bits = (bits ^ bits >> 33) &* 0xC4CE_B9FE_1A85_EC53
  return bits ^ bits >> 33
}

/// The number as a place below the bound, which is positive: even where the number is.
func place(_ number: UInt64, below bound: Int) -> Int {
  Int(truncatingIfNeeded: number.multipliedFullWidth(by: UInt64(truncatingIfNeeded: bound)).high)
}
