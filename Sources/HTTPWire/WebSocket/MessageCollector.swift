// Puts the messages of a WebSocket's client together (RFC 6455 §5.4), for routes that look into them. The bytes have
// passed a `FrameScanner`, so frames are good. What one frame says of its length is no reason to make room for it.

package import Bytes

/// The messages of one client.
package struct MessageCollector: Sendable {
  package enum Event: Sendable, Equatable {
    /// The bytes end within a frame, or within a message.
    case needMore
    /// So many bytes at the end of what was taken are a control frame's, in whole or in part.
    case control(Range<Int>)
    /// A text is whole.
    case text
    /// A message of bytes, one that is compressed, or a text that is longer than it may be.
    case unreadable, tooLarge
  }

  private enum Part: Sendable {
    case first, second
    case length(left: Int)
    case mask(left: Int)
    case payload
  }

  private var part = Part.first
  private var opcode: UInt8 = 0
  private var isFinal = false
  private var payloadLeft: UInt64 = 0
  private var mask: UInt32 = 0

  package init() {}

  private var isControl: Bool { opcode & 0x08 != 0 }

  /// Takes bytes from `offset` on, up to the end of a message or of a control frame.
  /// - Parameter message: what there is of the message, unmasked.
  package mutating func take(
    _ bytes: Span<UInt8>, offset: inout Int, message: inout ByteQueue, byteCountMax: Int
  ) -> Event {
    var start = offset
    while offset < bytes.count {
      if case .payload = part {
        let count = Int(clamping: min(payloadLeft, UInt64(bytes.count - offset)))
        if !isControl {
          if message.count + count > byteCountMax { return .tooLarge }
          append(bytes.extracting(offset..<offset + count), to: &message)
        }
        offset += count
        payloadLeft -= UInt64(count)
      } else {
        if isBetweenFrames { start = offset }
        if !takeHead(bytes[offset]) { return .unreadable }
        offset += 1
      }
      guard case .payload = part, payloadLeft == 0 else { continue }
      part = .first
      if isControl { return .control(start..<offset) }
      if isFinal { return .text }
    }
    if isControl, offset > start, !isBetweenFrames { return .control(start..<offset) }
    return .needMore
  }

  private var isBetweenFrames: Bool { if case .first = part { true } else { false } }

  private mutating func takeHead(_ byte: UInt8) -> Bool {
    switch part {
    case .first:
      opcode = byte & 0x0F
      isFinal = byte & 0x80 != 0
      part = .second
      // Reserved bits mean an extension, such as compression.
      return byte & 0x70 == 0 && opcode != 0x2
    case .second:
      let short = byte & 0x7F
      payloadLeft = short < 126 ? UInt64(short) : 0
      part = short == 126 ? .length(left: 2) : short == 127 ? .length(left: 8) : .mask(left: 4)
      mask = 0
    case .length(let left):
      payloadLeft = payloadLeft << 8 | UInt64(byte)
      part = left > 1 ? .length(left: left - 1) : .mask(left: 4)
    case .mask(let left):
      mask = mask << 8 | UInt32(byte)
      part = left > 1 ? .mask(left: left - 1) : .payload
    case .payload: break
    }
    return true
  }

  private mutating func append(_ bytes: Span<UInt8>, to message: inout ByteQueue) {
    for index in bytes.indices {
      mask = mask << 8 | mask >> 24
      message.append(bytes[index] ^ UInt8(truncatingIfNeeded: mask))
    }
  }
}

extension ByteQueue {
  /// Appends a text as one frame.
  /// - Parameter mask: nil for what a server sends.
  package mutating func appendFrame(text: Span<UInt8>, mask: UInt32?) {
    append(0x81 as UInt8)
    let bit: UInt8 = mask == nil ? 0 : 0x80
    switch text.count {
    case ..<126: append(bit | UInt8(text.count))
    case ..<65_536:
      append(bit | 126)
      append(UInt8(text.count >> 8))
      append(UInt8(text.count & 0xFF))
    default:
      append(bit | 127)
      for shift in stride(from: 56, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: text.count >> shift)) }
    }
    guard var mask else { return append(text) }
    for shift in stride(from: 24, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: mask >> UInt32(shift))) }
    for index in text.indices {
      mask = mask << 8 | mask >> 24
      append(text[index] ^ UInt8(truncatingIfNeeded: mask))
    }
  }
}
