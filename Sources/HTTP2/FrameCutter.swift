// Finds the frames' ends in the input (RFC 9113 §4.1), so that nghttp2 is given no more than one frame at a time and no
// more than one head is ever decoded ahead of whoever takes it (T57, T69).

struct FrameCutter {
  /// Bytes of the client's preface that are still to come.
  private var prefaceLeft: Int
  private var headerCount = 0
  private var payloadLeft = 0
  private var type: UInt8 = 0
  private var flags: UInt8 = 0

  /// A frame's header, once it is whole.
  struct Header {
    var type: UInt8
    var flags: UInt8
    var byteCount: Int
  }

  init(expectsPreface: Bool) { prefaceLeft = expectsPreface ? 24 : 0 }

  /// The end of the piece that begins at `start`: behind the frame, or the input's end if the frame is not whole yet.
  /// - Parameter header: set if the piece completes a frame's header.
  mutating func nextEnd(_ input: Span<UInt8>, from start: Int, header: inout Header?) -> Int {
    var end = start
    if prefaceLeft > 0 {
      let count = min(prefaceLeft, input.count - start)
      prefaceLeft -= count
      return start + count
    }
    if headerCount < 9 {
      while headerCount < 9, end < input.count {
        switch headerCount {
        case 0...2: payloadLeft = payloadLeft << 8 | Int(input[end])
        case 3: type = input[end]
        case 4: flags = input[end]
        default: break
        }
        headerCount += 1
        end += 1
      }
      if headerCount < 9 { return end }
      header = Header(type: type, flags: flags, byteCount: payloadLeft)
    }
    let count = min(payloadLeft, input.count - end)
    payloadLeft -= count
    if payloadLeft == 0 { headerCount = 0 }
    return end + count
  }
}
