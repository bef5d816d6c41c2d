// What a worker counts. Plain memory of one event loop: no lock, no atomic, no clock. The control plane reads by
// copying. It is fed by the access log stage and by the connections, and decides nothing.

package import GraphQL
package import HTTP2
package import HTTPWire
package import Tokens

/// One worker's counters. Not Sendable: every call is made on that worker's loop. All ids are those of
/// ``CounterNames``.
///
/// An increment costs a few nanoseconds and allocates only at the first sight of a combination of labels, or when the
/// control plane holds a copy of the numbers.
package final class Counters {
  private var values = CountersSnapshot()
  /// Client connections that are open, over all listeners.
  package private(set) var openDownstreamConnections = 0

  package init() {}

  /// The numbers as they are, to be sent to another thread.
  package func copy() -> CountersSnapshot { values }

  /// One finished request.
  ///
  /// - Parameters:
  ///   - route: nil when none took it.
  ///   - status: as sent to the client. 499 when it was gone before.
  package func countRequest(route: Int?, method: Method, status: Int, nanoseconds: UInt64) {
    // Any other number would be a label of its own that a hostile upstream could choose.
    let status = status >= 100 && status <= 999 ? status : 0
    values.requests.add(1, for: CounterKey.pack(route, Int(method.rawValue), status))
    if let route { values.requestDurations.observe(nanoseconds, id: route) }
  }

  /// A finished request that was traced. It shows others where to look.
  package func noteExemplar(route: Int, _ exemplar: Exemplar) {
    values.requestExemplars.note(
      exemplar, id: route, bucket: values.requestDurations.bucket(of: exemplar.nanoseconds))
  }

  /// The bytes of a finished request's two bodies, framing left out.
  package func countBodies(route: Int?, request: UInt64, response: UInt64) {
    Self.add(request, response, at: ((route ?? -1) + 1) * 2, in: &values.bodyBytes)
  }

  private static func add(_ first: UInt64, _ second: UInt64, at index: Int, in counts: inout [UInt64]) {
    guard index >= 0 else { return }
    while counts.count < index + 2 { counts.append(0) }
    var cells = counts.mutableSpan
    cells[index] &+= first
    cells[index + 1] &+= second
  }

  /// One request sent upstream and answered: from its first byte out to the response's head.
  package func countUpstream(_ upstream: Int, nanoseconds: UInt64) {
    values.upstreamDurations.observe(nanoseconds, id: upstream)
  }

  /// A request sent once more because of a failure at its server.
  package func countRetry(upstream: Int) { Self.count(upstream, in: &values.upstreamRetries) }

  /// A request that was not sent again because the upstream's budget for that was used up.
  package func countRefusedRetry(upstream: Int) { Self.count(upstream, in: &values.refusedRetries) }

  private static func count(_ id: Int, in counts: inout [UInt64]) {
    guard id >= 0 else { return }
    while counts.count <= id { counts.append(0) }
    counts[id] &+= 1
  }

  /// One copy of a request that is over.
  package func countMirrored(route: Int, _ result: MirrorResult) {
    values.mirrored.add(1, for: CounterKey.pack(route, nil, result.rawValue))
  }

  /// A request that was turned away before it was sent to a server.
  package func countRejection(upstream: Int, _ reason: GatewayRefusal) {
    values.rejections[RejectionKey(upstream: upstream, reason: reason), default: 0] &+= 1
  }

  /// A request that a rate limit refused, or would have refused if it were not a dry run.
  package func countRateLimited(route: Int?, isDryRun: Bool) {
    guard let route, route >= 0 else { return }
    if isDryRun { Self.count(route, in: &values.rateLimitedDry) } else { Self.count(route, in: &values.rateLimited) }
  }

  /// A rate limit gave a caller's bucket up, for its table was full.
  package func countRateLimitEviction(route: Int?) {
    guard let route else { return }
    Self.count(route, in: &values.rateLimitEvictions)
  }

  /// One decision about a request's token on a route that is not public.
  ///
  /// - Parameter issuer: nil when none is known, as without a token.
  package func countAuthentication(route: Int?, issuer: Int?, _ result: AuthenticationResult) {
    values.authentications.add(1, for: CounterKey.pack(route, issuer, result.number))
  }

  /// One decision that a rule in shadow would have made.
  func countShadow(route: Int?, issuer: Int?, _ result: AuthenticationResult) {
    values.shadowed.add(1, for: CounterKey.pack(route, issuer, result.number))
  }

  /// One operation of GraphQL.
  ///
  /// - Parameter operation: nil for a name that the file does not know.
  package func countOperation(route: Int?, operation: Int?, _ type: OperationType) {
    values.operations.add(1, for: CounterKey.pack(route, operation, Int(type.rawValue)))
  }

  /// One request that the gateway refused.
  func noteRefusal(_ refusal: LastRefusal) { values.lastRefusals.note(refusal) }

  /// One command of a store that is over.
  func countStore(_ store: Int, _ failure: StoreFailure?, nanoseconds: UInt64) {
    values.storeCommands.add(1, for: CounterKey.pack(store, nil, failure?.rawValue ?? 0))
    if failure == nil { values.storeDurations.observe(nanoseconds, id: store) }
  }

  /// One value in a store that the gateway cannot read.
  func countUnreadable(store: Int) { values.unreadableValues.add(1, for: CounterKey.pack(store, nil, 0)) }

  /// One request on a route with `authorize`, which is in shadow or counts.
  func countAuthorization(service: Int, _ result: AuthorizationResult, isShadow: Bool = false) {
    let key = CounterKey.pack(service, nil, result.rawValue)
    if isShadow { values.shadowAuthorizations.add(1, for: key) } else { values.authorizations.add(1, for: key) }
  }

  /// One call of a service, whatever came of it.
  func countAuthorizationCall(service: Int, nanoseconds: UInt64) {
    values.authorizationDurations.observe(nanoseconds, id: service)
  }

  /// One question about an opaque token, whatever came of it.
  func countIntrospection(issuer: Int, _ result: IntrospectionResult, nanoseconds: UInt64) {
    values.introspections.add(1, for: CounterKey.pack(issuer, nil, result.rawValue))
    values.introspectionDurations.observe(nanoseconds, id: issuer)
  }

  package func countTokenCache(isHit: Bool) {
    if isHit { values.tokenCacheHits &+= 1 } else { values.tokenCacheMisses &+= 1 }
  }

  /// One verification of a signature, whatever it found.
  package func countVerification(_ algorithm: SignatureAlgorithm, nanoseconds: UInt64) {
    values.verifications.observe(nanoseconds, id: Self.algorithms.firstIndex(of: algorithm) ?? 0)
  }

  private static let algorithms = SignatureAlgorithm.allCases

  /// A client's connection begins (`from` nil), changes its state, or ends (`to` nil).
  package func moveConnection(listener: Int, from: ConnectionState?, to: ConnectionState?) {
    openDownstreamConnections += (to == nil ? 0 : 1) - (from == nil ? 0 : 1)
    Self.move(listener, from, to, in: &values.listenerConnections)
  }

  /// A connection to an upstream's server begins (`from` nil), changes its state, or ends (`to` nil).
  package func moveConnection(upstream: Int, from: ConnectionState?, to: ConnectionState?) {
    Self.move(upstream, from, to, in: &values.upstreamConnections)
  }

  private static func move(_ id: Int, _ from: ConnectionState?, _ to: ConnectionState?, in gauges: inout [Int]) {
    guard id >= 0 else { return }
    while gauges.count < id * 2 + 2 { gauges.append(0) }
    var cells = gauges.mutableSpan
    if let from { cells[id * 2 + from.rawValue] -= 1 }
    if let to { cells[id * 2 + to.rawValue] += 1 }
  }

  /// A TLS handshake with a client that ended.
  ///
  /// - Parameter result: one of a fixed set, never a peer's text.
  package func countHandshake(_ result: String) {
    values.handshakes[result, default: 0] &+= 1
  }

  /// A request that ended in an error.
  package func countError(_ refusal: Refusal) { countError(code: refusal.code) }

  package func countError(_ error: ConnectionError) { countError(code: error.rawValue) }

  /// An HTTP/2 connection that ended in an error.
  package func countError(_ failure: FailureReason) { countError(code: failure.rawValue) }

  private func countError(code: String) { values.errors[code, default: 0] &+= 1 }
}
