// Which bucket of a rate limit a request is counted in. Limits by address, header, cookie and route come before the
// token is looked at, so that a flood of bad ones is held too. Those by claim come behind it.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

extension ClientRequest {
  /// Without what the limit counts by, or with two of it, a request counts for its client's address: leaving it out
  /// must not be a way round.
  func bucket(of limit: CompiledRateLimit, client: Client?, caller: Caller?, _ snapshot: Snapshot) -> UInt64 {
    let limiter = limit.limiter
    let bucket: UInt64?
    switch limit.key {
    case .route: return 1
    case .value(.clientIP): bucket = nil
    case .value(.claim(let path)): bucket = caller.flatMap { limiter.bucket(of: path, in: $0, snapshot) }
    case .value(let value): bucket = hash(ofSent: value, ~limiter.hashKey0, limiter.hashKey1)
    }
    return bucket ?? addressBucket(limiter, client, snapshot)
  }

  /// What distinguishes the bucket from all others of the limit, the same in every gateway: as
  /// ``bucket(of:client:caller:_:)`` decides it, without a hash.
  func bucketName(of limit: CompiledRateLimit, client: Client?, caller: Caller?, _ snapshot: Snapshot) -> ByteQueue {
    var name = ByteQueue()
    switch limit.key {
    case .route: name.append("route")
    case .value(.clientIP): break
    case .value(.claim(let path)): caller?.appendBucketName(of: path, to: &name, snapshot)
    case .value(let value):
      appendSent(value, to: &name)
      // Apart from those of addresses.
      if !name.isEmpty { name.append(" sent") }
    }
    if !name.isEmpty { return name }
    if case .unknown(let text) = peer.namedClient {
      name.append("name ")
      name.append(head.bytes.span.extracting(text))
    } else if let network = peer.address(of: client)?.network(prefix: snapshot.ipv6PrefixLength) {
      name.append("address ")
      name.append(hexadecimal: network.high, width: 16)
      name.append(hexadecimal: network.low, width: 16)
    } else {
      name.append("unix")
    }
    return name
  }

  private func addressBucket(_ limiter: RateLimiter, _ client: Client?, _ snapshot: Snapshot) -> UInt64 {
    if case .unknown(let text) = peer.namedClient {
      // By what the proxy writes in the place of an address, apart from all addresses.
      return head.bytes.span.extracting(text).keyedHash(limiter.hashKey0, ~limiter.hashKey1)
    }
    guard let network = peer.address(of: client)?.network(prefix: snapshot.ipv6PrefixLength) else { return 0 }
    return keyedHash(of: network.high, network.low, limiter.hashKey0, limiter.hashKey1)
  }
}

extension RateLimiter {
  /// By the issuer's name, its tenant and the value: two of either may both have a caller `1`. Lists, objects and null
  /// are no keys.
  fileprivate func bucket(of path: ClaimPath, in caller: Caller, _ snapshot: Snapshot) -> UInt64? {
    guard let node = caller.claim(path) else { return nil }
    var key0 = hashKey0
    if let issuer = caller.issuer {
      guard snapshot.issuerCounterIDs.indices.contains(issuer) else { return nil }
      // A number that stays with the name across reloads.
      key0 &+= UInt64(clamping: snapshot.issuerCounterIDs[issuer] &+ 1)
      if let tenant = snapshot.issuerRules[issuer].tenant(of: caller) {
        key0 = caller.claims.keyedHash(of: tenant, key0, hashKey1)
      }
    } else if let name = caller.nameOfKeys(snapshot) {
      key0 = name.utf8.span.keyedHash(~hashKey0, hashKey1)
    }
    switch caller.claims.kind(node) {
    case .string, .integer, .number, .true, .false: return caller.claims.keyedHash(of: node, key0, hashKey1)
    case .array, .object, .null: return nil
    }
  }
}

extension Caller {
  /// The name of the set that has the caller's API key. Nil for other callers.
  fileprivate func nameOfKeys(_ snapshot: Snapshot) -> String? {
    guard case .apiKey(let set, _) = proof, snapshot.configuration.apiKeys.indices.contains(set) else { return nil }
    return snapshot.configuration.apiKeys[set].name
  }

  /// Nothing for a caller without the claim, or whose claim is no key.
  fileprivate func appendBucketName(of path: ClaimPath, to name: inout ByteQueue, _ snapshot: Snapshot) {
    guard let node = claim(path) else { return }
    let keys = nameOfKeys(snapshot)
    guard keys != nil || issuer.map({ snapshot.configuration.issuers.indices.contains($0) }) ?? false else { return }
    let value: [UInt8]
    switch claims.kind(node) {
    case .string: value = claims.stringBytes(at: node) ?? []
    case .integer, .number, .true, .false:
      let bytes = claims.bytes
      value = bytes.span.extracting(claims.rawRange(of: node)).copied()
    case .array, .object, .null: return
    }
    if let keys {
      name.append("key ")
      name.append(text: keys)
      name.append(0)
    } else if let issuer {
      name.append("claim ")
      name.append(text: snapshot.configuration.issuers[issuer].name)
      name.append(0)
      if let tenant = snapshot.issuerRules[issuer].tenant(of: self) {
        name.append(claims.stringBytes(at: tenant) ?? [])
      }
    }
    name.append(0)
    name.append(value)
  }
}
