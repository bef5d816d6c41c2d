// Follows the frames of one direction of a WebSocket connection (RFC 6455 §5.2) as they pass, to know where one may be
// put in between and to end what breaks the rules. Invariant: it holds a few counters and never any content, whatever a
// frame says of its length.

/// What a peer did that RFC 6455 forbids.
package enum FrameViolation: Error, Sendable, CaseIterable {
  case reservedOpcode
  /// A client must mask, a server must not (§5.1).
  case wrongMasking
  /// Control frames are whole and have at most 125 bytes (§5.5).
  case controlFrameTooLarge, controlFrameFragmented
  /// A continuation of nothing, or a new message within an unfinished one (§5.4).
  case fragmentationBroken
  /// Not the shortest form, or over 2^63 - 1 (§5.2).
  case lengthInvalid
}

/// One direction's frames.
package struct FrameScanner: Sendable {
  private enum Part: Sendable {
    case first, second
    /// `left` bytes of a length that is `value` so far. `minimum` is what needs this form.
    case length(left: Int, value: UInt64, minimum: UInt64)
    case mask(left: Int)
    case payload
  }

  private let isMasked: Bool
  private var part = Part.first
  private var opcode: UInt8 = 0
  private var isFinal = false
  private var payloadLeft: UInt64 = 0
  private var isMessageOpen = false
  /// A close frame began: nothing of this direction follows it.
  package private(set) var hasClosed = false

  /// - Parameter isMasked: true for what a client sends.
  package init(isMasked: Bool) { self.isMasked = isMasked }

  /// The next byte begins a frame: another frame may be put in front of it.
  package var isBetweenFrames: Bool {
    if case .first = part { return true }
    return false
  }

  /// The next byte begins a message or a control frame: another message may be put in front of it.
  package var isBetweenMessages: Bool { isBetweenFrames && !isMessageOpen && !hasClosed }

  /// Scans what passes, and returns how many of the bytes: all, or those up to the first position between two frames.
  /// Nobody may send anything after a close frame, and everybody has to discard it (§1.4), so those bytes never pass.
  /// If the bytes break the rules, none of them may be forwarded, and the scanner keeps its state.
  package mutating func scan(
    _ bytes: Span<UInt8>, stopsBetweenFrames: Bool = false
  ) -> Result<Int, FrameViolation> {
    let start = self
    var index = 0
    while index < bytes.count {
      if stopsBetweenFrames || hasClosed, isBetweenFrames { return .success(index) }
      if case .payload = part {
        let count = Int(clamping: min(payloadLeft, UInt64(bytes.count - index)))
        index += count
        payloadLeft -= UInt64(count)
        if payloadLeft == 0 { part = .first }
        continue
      }
      if let violation = take(bytes[index]) {
        self = start
        return .failure(violation)
      }
      index += 1
    }
    return .success(index)
  }

  private mutating func take(_ byte: UInt8) -> FrameViolation? {
    switch part {
    case .first: return takeFirst(byte)
    case .second: return takeSecond(byte)
    case .length(let left, let value, let minimum):
      let sum = value << 8 | UInt64(byte)
      if left > 1 {
        part = .length(left: left - 1, value: sum, minimum: minimum)
        return nil
      }
      if sum < minimum || sum > UInt64(Int64.max) { return .lengthInvalid }
      payloadLeft = sum
      lengthIsKnown()
    case .mask(let left):
      part = left > 1 ? .mask(left: left - 1) : payloadOrEnd
    case .payload: break
    }
    return nil
  }

  private mutating func takeFirst(_ byte: UInt8) -> FrameViolation? {
    isFinal = byte & 0x80 != 0
    opcode = byte & 0x0F
    switch opcode {
    case 0x0:
      if !isMessageOpen { return .fragmentationBroken }
      isMessageOpen = !isFinal
    case 0x1, 0x2:
      if isMessageOpen { return .fragmentationBroken }
      isMessageOpen = !isFinal
    case 0x8, 0x9, 0xA:
      if !isFinal { return .controlFrameFragmented }
      hasClosed = opcode == 0x8
    default: return .reservedOpcode
    }
    part = .second
    return nil
  }

  private mutating func takeSecond(_ byte: UInt8) -> FrameViolation? {
    if (byte & 0x80 != 0) != isMasked { return .wrongMasking }
    let short = byte & 0x7F
    if opcode >= 0x8, short > 125 { return .controlFrameTooLarge }
    switch short {
    case 126: part = .length(left: 2, value: 0, minimum: 126)
    case 127: part = .length(left: 8, value: 0, minimum: 65_536)
    default:
      payloadLeft = UInt64(short)
      lengthIsKnown()
    }
    return nil
  }

  private mutating func lengthIsKnown() { part = isMasked ? .mask(left: 4) : payloadOrEnd }

  private var payloadOrEnd: Part { payloadLeft == 0 ? .first : .payload }
}
