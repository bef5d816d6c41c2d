// What distinguishes one caller from another, as a number: the same in every worker and in every gateway, so that all
// of them send a caller to the same server.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

/// Known to everyone who reads this: who chooses the bytes can choose where they lead. Bounded load is what helps
/// there.
private enum PlacementKey {
  static let first: UInt64 = 0x6361_7472_6163_6131
  static let second: UInt64 = 0xA076_1D64_78BD_642F
}

extension Span where Element == UInt8 {
  var placementHash: UInt64 { keyedHash(PlacementKey.first, PlacementKey.second) }
}

extension ClientRequest {
  /// Nil where the request does not have the value.
  /// - Parameter client: at the other end of the connection.
  func callerHash(_ value: RequestValue, of caller: Caller?, at client: Client?) -> UInt64? {
    switch value {
    case .claim(let path): caller.flatMap { Self.hash(of: path, in: $0) }
    case .clientIP: Self.hash(of: peer.address(of: client))
    case .cookie, .header, .query, .tls: hash(ofSent: value, PlacementKey.first, PlacementKey.second)
    }
  }

  private static func hash(of path: ClaimPath, in caller: Caller) -> UInt64? {
    guard let node = caller.claim(path), caller.claims.kind(node) != .null else { return nil }
    return caller.claims.keyedHash(of: node, PlacementKey.first, PlacementKey.second)
  }

  private static func hash(of address: PeerAddress?) -> UInt64? {
    guard let address, !address.isUnix else { return nil }
    return mixed(mixed(address.high) &+ address.low)
  }
}

/// Every bit of the number on every bit of the result (the finaliser of MurmurHash3).
func mixed(_ number: UInt64) -> UInt64 {
  var bits = number
  bits = (bits ^ bits >> 33) &* 0xFF51_AFD7_ED55_8CCD
  bits = (bits ^ bits >> 33) &* 0xC4CE_B9FE_1A85_EC53
  return bits ^ bits >> 33
}

/// The number scaled to one below the bound, which is positive: evenly spread where the number is.
func scaled(_ number: UInt64, below bound: Int) -> Int {
  Int(truncatingIfNeeded: number.multipliedFullWidth(by: UInt64(truncatingIfNeeded: bound)).high)
}
