// What a client asks for: the head, what the stages in front of the upstream have learned of it, and the body as far as
// it has come.

import Bytes
import HTTPWire

/// One request. The value serves one after the other and keeps its memory.
struct ClientRequest: ~Copyable {
  var head = RequestHead()
  var target = NormalTarget()
  var match = RouteMatch()
  var peer = Peer()
  var body = RequestBody()
  var handshake = WebSocketHandshake()
  /// Kept or made. At most 128 bytes.
  var id = ByteQueue()
  /// The 32 digits of the trace id, when one is known.
  var traceID = ByteQueue()
  var tokenPosition = TokenPosition.none
  /// Whether Authorization has the token under the scheme `DPoP`.
  var isProofScheme = false
  /// At ``TokenPosition/basic(_:)``: the token is not in the head as it is.
  var basicToken: [UInt8] = []
  /// An issuer that might have known the token has not answered.
  var isIssuerSilent = false
  /// Of an OPTIONS request, as the upstream gets it.
  var maxForwardsLeft: UInt64?

  mutating func reset() {
    head.reset()
    if head.bytes.allocatedByteCount > Exchange.keptByteCount { head.releaseStorage() }
    target.reset()
    match.reset()
    peer = Peer()
    body.reset()
    handshake.reset()
    id.removeAll()
    traceID.removeAll()
    if case .basic = tokenPosition { basicToken = [] }
    tokenPosition = .none
    isIssuerSilent = false
    isProofScheme = false
    maxForwardsLeft = nil
  }

  /// Gives the target its normal form.
  mutating func normalizeTarget() -> TargetError? {
    head.targetForm == .asterisk ? nil : Self.normalize(&target, of: head)
  }

  @inline(__always)
  private static func normalize(_ target: inout NormalTarget, of head: borrowing RequestHead) -> TargetError? {
    target.normalize(head.bytes.span.extracting(head.pathAndQueryRange))
  }

  /// - Parameter method: where in the head the requested method is, when it is not the request's own.
  mutating func matchRoute(in snapshot: Snapshot, method: Range<Int>? = nil) -> RouteResult {
    Self.match(head, target, method, in: snapshot, into: &match)
  }

  @inline(__always)
  private static func match(
    _ head: borrowing RequestHead, _ target: borrowing NormalTarget, _ method: Range<Int>?, in snapshot: Snapshot,
    into match: inout RouteMatch
  ) -> RouteResult {
    let host = head.bytes.span.extracting(head.authority ?? 0..<0)
    return snapshot.routeTable.match(
      host: host.extracting(hostRange(of: host)), target: target, head: head, method: method, into: &match)
  }
}
