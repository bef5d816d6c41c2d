// A WebSocket between client and server, once the server has agreed to it: bytes pass both ways as the bodies of the
// exchange, and end with the token that they were opened with. Frames are followed, never held, so that a close frame
// can be inserted between two of them.

import Configuration
import HTTPWire
import Tokens

/// Why the gateway ends a tunnel.
enum TunnelEnding: Equatable {
  case tokenExpired, tokenRevoked, sessionEnded, keyWithdrawn, routeWithdrawn, draining, frameInvalid, idle
  /// For what the client has said in a message.
  case refused(Refusal)

  /// The close code (RFC 6455 §7.4) that the client receives. 4401 corresponds to the 401 that a new handshake would
  /// get.
  var closeCode: UInt16 {
    switch self {
    case .tokenExpired, .tokenRevoked, .sessionEnded, .keyWithdrawn: 4401
    case .routeWithdrawn, .draining, .idle: 1001
    case .frameInvalid: 1002
    case .refused(let refusal):
      switch refusal.status {
      case 401: 4401
      case 403: 4403
      case 413: 1009
      case 503: 1013
      default: 4400
      }
    }
  }

  var refusal: Refusal {
    switch self {
    case .tokenExpired: .token(.tokenExpired)
    case .tokenRevoked: .token(.tokenRevoked)
    case .sessionEnded: .token(.sessionExpired)
    case .keyWithdrawn: .token(.keyUnknown)
    case .routeWithdrawn: .gateway(.routeWithdrawn)
    case .draining: .gateway(.gatewayStopping)
    case .frameInvalid: .gateway(.webSocketFrameInvalid)
    case .idle: .gateway(.webSocketIdle)
    case .refused(let refusal): refusal
    }
  }

  /// Why a new handshake would not be let through. Nil where it would.
  /// - Parameters:
  ///   - old: the configuration that let the tunnel in.
  ///   - route: what the request matches in `fresh`.
  static func objection(
    to caller: Caller?, of old: Snapshot, on route: CompiledRoute, of fresh: Snapshot, _ worker: Worker
  ) -> TunnelEnding? {
    if route.webSocket == nil { return .routeWithdrawn }
    if route.isPublic { return nil }
    guard let caller else {
      return route.token.isOptional || route.webSocket?.isGraphQL == true || route.token.isShadow
        ? nil : .routeWithdrawn
    }
    if case .answer(.session(let index), _) = caller.proof {
      let isTaken = route.token.sessions.contains { fresh.sessions[$0].name == old.sessions[index].name }
      return isTaken && route.token.access.refusal(of: caller) == nil ? nil : .routeWithdrawn
    }
    if case .apiKey(let set, _) = caller.proof {
      let name = old.configuration.apiKeys[set].name
      guard let now = route.token.apiKeySets.first(where: { fresh.configuration.apiKeys[$0].name == name }),
        route.token.access.refusal(of: caller) == nil
      else { return .routeWithdrawn }
      return worker.isKept(caller, in: fresh.configuration.apiKeys[now]) ? nil : .keyWithdrawn
    }
    guard let issuer = caller.issuer else { return .routeWithdrawn }
    let policy = old.configuration.issuers[issuer].policy
    let issuers = route.token.issuers.filter {
      fresh.configuration.issuers[$0].policy.isLike(policy) && fresh.issuerRules[$0].isListed(caller)
    }
    if issuers.isEmpty || route.token.access.refusal(of: caller) != nil { return .routeWithdrawn }
    return issuers.contains { worker.isKept(caller.proof, by: $0) } ? nil : .keyWithdrawn
  }
}

/// What is known of an open tunnel. Its exchange does what it decides.
struct Tunnel {
  private var clientFrames = FrameScanner(isMasked: true)
  private var serverFrames = FrameScanner(isMasked: false)
  /// When the token is over, with what the route grants beyond that. A steady moment.
  private var endsAt: Int64
  private var isOfSession: Bool
  /// Nobody has said yet who calls, and somebody has to.
  private var isUnproved = false
  /// Set where messages are looked into.
  private(set) var messages: GraphQLMessages?
  private let idleTimeout: Int64
  private var movedAt: Int64
  /// Set while the end waits for the server's frame under way.
  private(set) var ending: TunnelEnding?

  /// LIMIT: how long the end waits for the rest of a frame. Then the connection is cut.
  static let patienceNanoseconds: Int64 = 5_000_000_000

  init(of caller: Caller?, on route: CompiledRoute?, at time: Time) {
    isOfSession = caller?.isOfSession ?? false
    endsAt = Self.end(of: caller, grace: route?.webSocket?.expiryGrace.nanoseconds ?? 0, at: time)
    idleTimeout = route?.webSocket?.idleTimeout.nanoseconds ?? 0
    movedAt = time.nanoseconds
  }

  /// Has the client's messages looked into.
  /// - Parameter requiresProof: whether a token has to come with the first of them.
  mutating func examine(_ messages: GraphQLMessages, requiresProof: Bool, at now: Int64) {
    self.messages = messages
    if requiresProof {
      isUnproved = true
      endsAt = now &+ GraphQLMessages.patienceNanoseconds
    }
  }

  /// Somebody has said who calls, and the tunnel ends with that.
  mutating func prove(_ caller: Caller, on route: CompiledRoute, at time: Time) {
    isUnproved = false
    isOfSession = caller.isOfSession
    endsAt = Self.end(of: caller, grace: route.webSocket?.expiryGrace.nanoseconds ?? 0, at: time)
  }

  private static func end(of caller: Caller?, grace: Int64, at time: Time) -> Int64 {
    guard let caller, caller.expiresAt != .max else { return .max }
    let (milliseconds, isFar) = caller.expiresAt.multipliedReportingOverflow(by: 1000)
    let left = max(0, milliseconds &- time.unixMilliseconds)
    let (nanoseconds, isOver) = left.multipliedReportingOverflow(by: 1_000_000)
    let (moment, isBeyond) = nanoseconds.addingReportingOverflow(time.nanoseconds &+ grace)
    return isFar || isOver || isBeyond ? .max : moment
  }

  /// When the tunnel is looked at next.
  var deadline: Int64 { min(endsAt, movedAt &+ idleTimeout) }

  /// What ends the tunnel now.
  func due(at now: Int64) -> TunnelEnding? {
    if now >= endsAt, isUnproved { return .refused(.token(.tokenMissing)) }
    if now >= endsAt { return isOfSession ? .sessionEnded : .tokenExpired }
    return now &- movedAt >= idleTimeout ? .idle : nil
  }

  // MARK: Bytes

  var isBetweenServerMessages: Bool { serverFrames.isBetweenMessages }

  /// How many of the client's bytes go on. Nil when they are not valid frames. While the end waits for the server, the
  /// client's frame under way is its last.
  mutating func take(fromClient bytes: Span<UInt8>, at now: Int64) -> Int? {
    take(clientFrames.scan(bytes, stopsBetweenFrames: ending != nil), at: now)
  }

  /// As ``take(fromClient:at:)``.
  mutating func take(fromServer bytes: Span<UInt8>, at now: Int64) -> Int? {
    take(serverFrames.scan(bytes, stopsBetweenFrames: ending != nil), at: now)
  }

  private mutating func take(_ scanned: Result<Int, FrameViolation>, at now: Int64) -> Int? {
    guard case .success(let count) = scanned else { return nil }
    if count > 0 { movedAt = now }
    return count
  }

  // MARK: The end

  /// What has to be done to end the tunnel.
  enum EndStep {
    /// Close frames can be sent.
    case close
    /// Nothing that could be said would be understood.
    case cut
    /// The server's frame under way is waited for.
    case wait
  }

  /// Nil when the tunnel ends already.
  mutating func end(_ reason: TunnelEnding) -> EndStep? {
    if ending != nil { return nil }
    ending = reason
    if serverFrames.isBetweenFrames { return .close }
    return reason == .frameInvalid ? .cut : .wait
  }

  /// Whether what the end waited for has come.
  var mayClose: Bool { ending != nil && serverFrames.isBetweenFrames }

  /// Nil when the server has sent one already.
  var closeFrameForClient: [UInt8]? {
    guard let ending, !serverFrames.hasClosed else { return nil }
    let code = ending.closeCode
    return [0x88, 2, UInt8(truncatingIfNeeded: code >> 8), UInt8(truncatingIfNeeded: code)]
  }

  /// Nil when the client has sent one already, or is within a frame.
  func closeFrameForServer(mask: UInt64) -> [UInt8]? {
    if !clientFrames.isBetweenFrames || clientFrames.hasClosed { return nil }
    // 1001, going away: the codes from 4000 on mean something to the client's application only.
    let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> UInt64($0 * 8)) }
    return [0x88, 0x82] + key + [0x03 ^ key[0], 0xE9 ^ key[1]]
  }
}
