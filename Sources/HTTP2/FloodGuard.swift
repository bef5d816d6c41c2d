// What a peer may cost without asking for anything: frames that are cheap to send and not to serve. Each kind has a
// budget that fills up again with time (T54–T58). Ordinary peers stay far below. A peer that exceeds it loses the
// connection.

/// Tokens that come back with time. Time is the caller's.
struct TokenBucket {
  private let nanosecondsEach: Int64
  private let creditMax: Int64
  private var credit: Int64
  private var filledAt: Int64

  init(burst: Int64, perSecond: Int64, at nanoseconds: Int64) {
    nanosecondsEach = 1_000_000_000 / max(perSecond, 1)
    creditMax = burst * nanosecondsEach
    credit = creditMax
    filledAt = nanoseconds
  }

  /// Takes one token. False if there is none.
  mutating func take(at nanoseconds: Int64) -> Bool {
    let passed = max(0, nanoseconds &- filledAt)
    filledAt = nanoseconds
    credit = min(creditMax, credit &+ min(passed, creditMax))
    if credit < nanosecondsEach { return false }
    credit -= nanosecondsEach
    return true
  }

  /// Puts tokens back that the peer has earned.
  mutating func give(_ count: Int64) { credit = min(creditMax, credit &+ count &* nanosecondsEach) }
}

/// The budgets of one connection.
struct FloodGuard {
  // LIMIT: RST_STREAM frames of the peer (T54), 500 at once and 33 a second: ENHANCE_YOUR_CALM.
  private var peerResets: TokenBucket
  // LIMIT: streams that we reset because of what the peer sent (T55): as many.
  private var ownResets: TokenBucket
  // LIMIT: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, interim heads and unknown frames (T58): 1000 at once,
  // 100 a second, and as many as go with the content and the requests of the connection.
  private var control: TokenBucket
  private var blockByteCount = 0
  private var decodedByteCount = 0
  private var continuationCount = 0
  private let blockByteCountMax: Int

  // LIMIT: CONTINUATION frames of one header block (T56).
  private static let continuationCountMax = 8

  /// - Parameter headByteCountMax: of a decoded head. LIMIT: four times as much, at least 64 KiB, may come encoded
  ///   (T56) and be decoded (T57), so that a head that is a little too large costs its stream only. A block of 4 KB may
  ///   unfold to 16 MB, which nobody keeps, but which takes 20 ms to look at.
  init(headByteCountMax: Int, at nanoseconds: Int64) {
    peerResets = TokenBucket(burst: 500, perSecond: 33, at: nanoseconds)
    ownResets = TokenBucket(burst: 500, perSecond: 33, at: nanoseconds)
    control = TokenBucket(burst: 1000, perSecond: 100, at: nanoseconds)
    blockByteCountMax = max(64 * 1024, headByteCountMax * 4)
  }

  /// Looks at a frame's header before anything is done with its payload.
  mutating func begin(_ header: FrameCutter.Header, at nanoseconds: Int64) -> FailureReason? {
    let byteCount = header.byteCount
    switch FrameType(rawValue: header.type) {
    case .data:
      // Padding could make an empty frame look full, so it earns nothing.
      let isPadded = header.flags & FrameFlag.padded != 0
      if byteCount > (isPadded ? 256 : 0) {
        if !isPadded { control.give(1) }
        return nil
      }
      return header.flags & FrameFlag.end != 0 || control.take(at: nanoseconds) ? nil : .emptyDataFlood
    case .headers:
      blockByteCount = byteCount
      decodedByteCount = 0
      continuationCount = 0
      return blockByteCount > blockByteCountMax ? .headerBlockTooLarge : nil
    case .continuation:
      continuationCount += 1
      blockByteCount += byteCount
      if continuationCount > Self.continuationCountMax { return .continuationFlood }
      return blockByteCount > blockByteCountMax ? .headerBlockTooLarge : nil
    case .reset: return peerResets.take(at: nanoseconds) ? nil : .rapidReset
    case .priority, .priorityUpdate: return control.take(at: nanoseconds) ? nil : .priorityFlood
    case .settings: return control.take(at: nanoseconds) ? nil : .settingsFlood
    case .ping: return control.take(at: nanoseconds) ? nil : .pingFlood
    case .windowUpdate: return control.take(at: nanoseconds) ? nil : .windowUpdateFlood
    case .pushPromise, .goAway, nil: return control.take(at: nanoseconds) ? nil : .unknownFrameFlood
    }
  }

  /// A field was decoded. Counted as RFC 9113 §6.5.2 does.
  mutating func field(byteCount: Int) -> FailureReason? {
    decodedByteCount += byteCount + 32
    return decodedByteCount > blockByteCountMax ? .headerBlockTooLarge : nil
  }

  mutating func interimHead(at nanoseconds: Int64) -> FailureReason? {
    control.take(at: nanoseconds) ? nil : .interimFlood
  }

  mutating func ownReset(at nanoseconds: Int64) -> FailureReason? {
    ownResets.take(at: nanoseconds) ? nil : .provokedResets
  }

  /// A peer answers content with two window updates at most, a request's beginning with one.
  mutating func sentData() { control.give(2) }
  mutating func requestBegan() { control.give(1) }
}

/// The frames that RFC 9113 §6 and RFC 9218 §7 define.
enum FrameType: UInt8 {
  case data = 0
  case headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
  case priorityUpdate = 16
}

enum FrameFlag {
  /// END_STREAM. The same bit is ACK where that is a flag.
  static let end: UInt8 = 1
  static let endHeaders: UInt8 = 4
  static let padded: UInt8 = 8
}
