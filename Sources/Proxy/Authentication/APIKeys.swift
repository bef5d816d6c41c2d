// API keys as a credential: found where there is no token, looked up by their digests, and then remembered, as tokens
// are.

import Bytes
import Configuration
import HTTPWire
import Tokens

/// One place where a route looks for keys, and the sets whose keys may be there.
struct APIKeyPlace: Sendable {
  let source: TokenSource
  /// Indices in the configuration, in the route's order.
  let sets: [Int]

  static func of(_ indices: [Int], in file: [APIKeySet]) -> [APIKeyPlace] {
    if indices.isEmpty { return [] }
    var sources: [TokenSource] = []
    for index in indices {
      for source in file[index].places where !sources.contains(source) { sources.append(source) }
    }
    return sources.map { source in
      APIKeyPlace(source: source, sets: indices.filter { file[$0].places.contains(source) })
    }
  }
}

extension TokenRules {
  var apiKeySets: [Int] {
    var result: [Int] = []
    for place in keyPlaces {
      for set in place.sets where !result.contains(set) { result.append(set) }
    }
    return result
  }
}

extension Exchange {
  /// A bad key is refused, and the cookie of a session is not looked at. Nil when there is no key.
  func findAPIKey(of route: CompiledRoute) -> StageOutcome? {
    var found: Int?
    var name: [UInt8]?
    for (index, place) in route.token.keyPlaces.enumerated() {
      switch take(place.source, name: &name) {
      case .missing: continue
      case .malformed: return refuseToken(.apiKeyInvalid)
      case .ambiguous: return refuseToken(.tokenAmbiguous)
      case .found: if found != nil { return refuseToken(.tokenAmbiguous) }
      }
      found = index
    }
    guard let found else { return nil }
    worker.apiKeys.check.id = name
    return obey(check(route.token.keyPlaces[found], name: name), route, mayAsk: .all)
  }

  private enum KeySearch { case missing, malformed, ambiguous, found }

  /// Takes the key that is at one place.
  /// - Parameter name: the key's id, where the place has one.
  private func take(_ source: TokenSource, name: inout [UInt8]?) -> KeySearch {
    let value: ValueSearch
    switch source {
    case .value(.header(let name)): value = request.head.search(header: name.utf8.span)
    case .value(.query(let name)):
      value = request.target.search(query: name.utf8.span)
      if case .found(let range) = value {
        guard request.giveKey(inQuery: range, to: &worker.apiKeys.check) else { return .malformed }
        return .found
      }
    case .basic: return takeBasic(&name)
    // No configuration has these.
    case .authorization, .webSocketProtocol, .value: return .missing
    }
    switch value {
    case .missing, .empty: return .missing
    case .ambiguous: return .ambiguous
    case .found(let range):
      guard request.giveKey(inHead: range, to: &worker.apiKeys.check) else { return .malformed }
      return .found
    }
  }

  private func takeBasic(_ name: inout [UInt8]?) -> KeySearch {
    switch request.head.credentials(of: "basic") {
    case .missing: return .missing
    case .ambiguous: return .ambiguous
    case .malformed: return .malformed
    case .found: break
    }
    guard let pair = request.basicPair() else { return .malformed }
    name = pair.name
    return worker.apiKeys.check.take(pair.password.span) ? .found : .malformed
  }

  private func check(_ place: APIKeyPlace, name: [UInt8]?) -> Verdict {
    let now = worker.time.unixSeconds
    let isCurrent = snapshot.generation == worker.snapshot.generation
    if isCurrent, let known = worker.tokenCache.lookUp(worker.apiKeys.check, now: now),
      case .apiKey(let set, _) = known.proof, place.sets.contains(set),
      name == nil || known.keyID == name
    {
      worker.counters.countTokenCache(isHit: true)
      if let trace = tracing.trace { trace.isTokenRemembered = true }
      return .caller(known)
    }
    worker.counters.countTokenCache(isHit: false)
    guard worker.apiKeys.check.makeDigest() else { return .refused(.apiKeyInvalid, issuer: nil) }
    for set in place.sets {
      guard let verdict = verdict(of: set, name: name, now: now) else { continue }
      if case .caller(let caller) = verdict, let route { remember(caller, route) }
      return verdict
    }
    // A route has one of these at most.
    if let set = place.sets.first(where: { snapshot.configuration.apiKeys[$0].store != nil }) {
      return checkStored(in: set, name: name)
    }
    return .refused(.apiKeyInvalid, issuer: nil)
  }

  /// A key that no file has, and whose digest was made.
  private func checkStored(in set: Int, name: [UInt8]?) -> Verdict {
    worker.apiKeys.check.makeStoredCredential()
    let isCurrent = snapshot.generation == worker.snapshot.generation
    if isCurrent,
      let known = worker.tokenCache.lookUpStored(worker.apiKeys.check, now: worker.time.unixSeconds),
      case .apiKey(set, _) = known.proof
    {
      worker.counters.countTokenCache(isHit: true)
      if let trace = tracing.trace { trace.isTokenRemembered = true }
      // The store calls the key by another name.
      if let name, name != known.keyID { return .refused(.apiKeyInvalid, issuer: nil) }
      return .caller(known)
    }
    if isCurrent, worker.apiKeys.unknown.has(worker.apiKeys.check.digest, of: set, at: worker.time.nanoseconds) {
      return .refused(.apiKeyInvalid, issuer: nil)
    }
    return .ask(.apiKey(set: set))
  }

  private func verdict(of set: Int, name: [UInt8]?, now: Int64) -> Verdict? {
    // The newest of them, where the file of a set has changed while the request waited.
    let isCurrent = snapshot.generation == worker.snapshot.generation
    let keys = (isCurrent ? worker.snapshot : snapshot).configuration.apiKeys[set].keys
    let credential = worker.apiKeys.check.credential
    let digest = worker.apiKeys.check.digest
    guard let name else {
      return keys.verdict(on: credential.span, digest: digest.span, set: set, id: nil, now: now)
    }
    return keys.verdict(on: credential.span, digest: digest.span, set: set, id: name.span, now: now)
  }
}

extension ClientRequest {
  fileprivate func giveKey(inHead range: Range<Int>, to check: inout APIKeyCheck) -> Bool {
    check.take(head.bytes.span.extracting(range))
  }

  fileprivate func giveKey(inQuery range: Range<Int>, to check: inout APIKeyCheck) -> Bool {
    check.take(target.bytes.span.extracting(range))
  }
}
