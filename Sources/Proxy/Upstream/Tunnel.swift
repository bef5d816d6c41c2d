// A WebSocket between client and server, once the server has agreed to it: bytes pass both ways as the bodies of the
// exchange, and end with the token that they were opened with. Frames are followed, never held, so that a close frame
// can be inserted between two of them.

import Bytes
import Configuration
import HTTPWire
import Tokens

/// Why the gateway ends a tunnel.
enum TunnelEnding {
  case tokenExpired, keyWithdrawn, routeWithdrawn, draining, frameInvalid, idle

  /// The close code (RFC 6455 §7.4) that the client receives. 4401 corresponds to the 401 that a new handshake would
  /// get.
  var closeCode: UInt16 {
    switch self {
    case .tokenExpired, .keyWithdrawn: 4401
    case .routeWithdrawn, .draining, .idle: 1001
    case .frameInvalid: 1002
    }
  }

  var refusal: Refusal {
    switch self {
    case .tokenExpired: .token(.tokenExpired)
    case .keyWithdrawn: .token(.keyUnknown)
    case .routeWithdrawn: .gateway(.routeWithdrawn)
    case .draining: .gateway(.gatewayStopping)
    case .frameInvalid: .gateway(.webSocketFrameInvalid)
    case .idle: .gateway(.webSocketIdle)
    }
  }
}

/// What is known of an open tunnel.
struct Tunnel {
  var clientFrames = FrameScanner(isMasked: true)
  var serverFrames = FrameScanner(isMasked: false)
  /// When the token is over, with what the route grants beyond that. A steady moment.
  var endsAt: Int64
  var movedAt: Int64
  /// Set while the end waits for the server's frame under way.
  var ending: TunnelEnding?

  /// LIMIT: how long the end waits for the rest of a frame. Then the connection is cut.
  static let patienceNanoseconds: Int64 = 5_000_000_000
}

extension Exchange {
  /// The server has agreed (101): from now on both bodies run until one side ends.
  func openTunnel(_ response: borrowing ResponseHead) {
    answer.hasBegun = true
    times.upstreamRespondedAt = worker.time.nanoseconds
    answer.upstreamStatus = 101
    answer.status = 101
    request.body.isComplete = false
    // Sent. A tunnel may live for long.
    upstreamHead.bytes.releaseStorage()
    // The route's `timeout` was for the handshake.
    times.routeDeadline = .max
    tunnel = Tunnel(endsAt: tokenEnd(), movedAt: worker.time.nanoseconds)
    downstream?.openTunnel(response, of: self)
    expectTunnelEnd()
  }

  /// What the client sent ahead goes on now (T49).
  func tunnelOpened() { downstream?.resumeInput() }

  private func tokenEnd() -> Int64 {
    guard let caller, let route, caller.expiresAt != .max else { return .max }
    let (milliseconds, isFar) = caller.expiresAt.multipliedReportingOverflow(by: 1000)
    let left = max(0, milliseconds &- worker.time.unixMilliseconds)
    let (nanoseconds, isOver) = left.multipliedReportingOverflow(by: 1_000_000)
    let grace = route.webSocket?.expiryGrace.nanoseconds ?? 0
    let (moment, isBeyond) = nanoseconds.addingReportingOverflow(worker.time.nanoseconds &+ grace)
    return isFar || isOver || isBeyond ? .max : moment
  }

  private func expectTunnelEnd() {
    guard let tunnel, let downstream else { return }
    let idle = tunnel.movedAt &+ (route?.webSocket?.idleTimeout.nanoseconds ?? 0)
    downstream.deadline = min(tunnel.endsAt, idle)
  }

  /// A deadline of the tunnel passed.
  func checkTunnel() {
    guard let tunnel else { return }
    let now = worker.time.nanoseconds
    if tunnel.ending != nil {
      finish(.truncated)
    } else if now >= tunnel.endsAt {
      endTunnel(.tokenExpired)
    } else if now &- tunnel.movedAt >= route?.webSocket?.idleTimeout.nanoseconds ?? 0 {
      endTunnel(.idle)
    } else {
      expectTunnelEnd()
    }
  }

  // MARK: Bytes

  /// While the end waits for the server, the client's frame under way is its last.
  func passToServer(_ bytes: Span<UInt8>) {
    guard let isEnding = tunnel.map({ $0.ending != nil }) else { return }
    switch tunnel?.clientFrames.scan(bytes, stopsBetweenFrames: isEnding) {
    case .success(0): break
    case .success(let count):
      tunnel?.movedAt = worker.time.nanoseconds
      request.body.byteCount &+= UInt64(count)
      writeUpstream(bytes.extracting(0..<count))
    case .failure, nil: endTunnel(.frameInvalid)
    }
  }

  func passToClient(_ bytes: Span<UInt8>) {
    guard let isEnding = tunnel.map({ $0.ending != nil }) else { return }
    switch tunnel?.serverFrames.scan(bytes, stopsBetweenFrames: isEnding) {
    case .success(let count):
      if count > 0 {
        tunnel?.movedAt = worker.time.nanoseconds
        writeDownstream(bytes.extracting(0..<count))
      }
      if isEnding, tunnel?.serverFrames.isBetweenFrames ?? false { finishTunnel() }
    case .failure, nil: endTunnel(.frameInvalid)
    }
  }

  // MARK: The end

  /// Ends the tunnel with a close frame, at once or behind the server's frame that is under way.
  func endTunnel(_ ending: TunnelEnding) {
    guard tunnel != nil, tunnel?.ending == nil else { return }
    tunnel?.ending = ending
    if answer.refusal == nil { answer.refusal = ending.refusal }
    if tunnel?.serverFrames.isBetweenFrames ?? false {
      finishTunnel()
    } else if ending == .frameInvalid {
      // Nothing that could be said would be understood.
      finish(.truncated)
    } else {
      downstream?.deadline = worker.time.nanoseconds &+ Tunnel.patienceNanoseconds
      delivery.stream?.resumeReading()
    }
  }

  private func finishTunnel() {
    guard let tunnel, let ending = tunnel.ending else { return }
    let code = ending.closeCode
    let digits = [UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)]
    if !tunnel.serverFrames.hasClosed { downstream?.writeBody(([0x88, 2] + digits).span) }
    if tunnel.clientFrames.isBetweenFrames, !tunnel.clientFrames.hasClosed {
      // 1001, going away: the codes from 4000 on mean something to the client's application only.
      let mask = worker.randomIdentifiers.next()
      let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> UInt64($0 * 8)) }
      delivery.stream?.writeBody(([0x88, 0x82] + key + [0x03 ^ key[0], 0xE9 ^ key[1]]).span)
    }
    closeTunnel()
  }

  /// The client ended its half: there is nobody left to be served.
  func closeTunnel() {
    answer.isComplete = true
    downstream?.writeEnd(trailers: FieldSection())
    finish(.complete)
  }

  /// A new configuration or key set took over: a tunnel stays if a new handshake would be let through.
  func reviewTunnel(_ fresh: Snapshot) {
    if case .route(let index) = request.matchRoute(in: fresh), fresh.routes.indices.contains(index) {
      if let ending = objection(fresh, fresh.routes[index]) { endTunnel(ending) }
    } else {
      endTunnel(.routeWithdrawn)
    }
  }

  private func objection(_ fresh: Snapshot, _ route: CompiledRoute) -> TunnelEnding? {
    if route.webSocket == nil { return .routeWithdrawn }
    if route.isPublic { return nil }
    guard let caller else { return route.isTokenOptional ? nil : .routeWithdrawn }
    let old = snapshot.configuration.issuers[caller.issuer]
    let issuers = route.tokenIssuers.filter { fresh.configuration.issuers[$0].policy == old.policy }
    if issuers.isEmpty || route.access.refusal(of: caller) != nil { return .routeWithdrawn }
    return issuers.contains { isKept(caller.proof, by: $0) } ? nil : .keyWithdrawn
  }
}
