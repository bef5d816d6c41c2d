// Finds the frames' ends in the input (RFC 9113 §4.1). So nghttp2 gets no more than one frame at a time, and no more
// than one head is decoded before the caller takes it (T57, T69).

struct FrameCutter {
  /// Bytes of the client's preface that are still to come.
  private var prefaceLeft: Int
  private var headerCount = 0
  private var payloadLeft = 0
  private var type: UInt8 = 0
  private var flags: UInt8 = 0
  private var stream: UInt32 = 0
  /// The first four bytes of a PRIORITY frame's payload: the stream that its stream is to depend on.
  private var dependency: UInt32 = 0
  private var dependencyByteCount = 0
  /// CONTINUATION frames are due.
  private var isBlockOpen = false
  /// A frame's header that came in pieces, as far as it has come.
  private(set) var heldHeader = InlineArray<9, UInt8>(repeating: 0)
  /// The piece that was found last belongs to ``heldHeader``, and not to a payload.
  private(set) var isHeaderHeld = false

  /// A frame's header, once it is whole.
  struct Header {
    var type: UInt8
    var flags: UInt8
    var byteCount: Int
    var stream: Int32
  }

  init(expectsPreface: Bool) { prefaceLeft = expectsPreface ? 24 : 0 }

  /// The end of the piece that begins at `start`: behind the frame, or the input's end if the frame is not whole yet. A
  /// header that comes in pieces is put together, and a piece of its own: nghttp2 as Debian has it counts each part of
  /// a CONTINUATION frame's header as a frame, and would give honest peers up.
  /// - Parameter header: set if the piece completes a frame's header.
  mutating func nextEnd(_ input: Span<UInt8>, from start: Int, header: inout Header?) -> Int {
    var end = start
    isHeaderHeld = false
    if prefaceLeft > 0 {
      let count = min(prefaceLeft, input.count - start)
      prefaceLeft -= count
      return start + count
    }
    if headerCount < 9 {
      if headerCount == 0, input.count - start >= 9 {
        // The whole header at once, as it mostly comes.
        payloadLeft = Int(input[start]) << 16 | Int(input[start + 1]) << 8 | Int(input[start + 2])
        type = input[start + 3]
        flags = input[start + 4]
        stream =
          UInt32(input[start + 5]) << 24 | UInt32(input[start + 6]) << 16 | UInt32(input[start + 7]) << 8
          | UInt32(input[start + 8])
        headerCount = 9
        end = start + 9
      } else {
        isHeaderHeld = true
        while headerCount < 9, end < input.count {
          heldHeader[headerCount] = input[end]
          switch headerCount {
          case 0...2: payloadLeft = payloadLeft << 8 | Int(input[end])
          case 3: type = input[end]
          case 4: flags = input[end]
          default: stream = stream << 8 | UInt32(input[end])
          }
          headerCount += 1
          end += 1
        }
        if headerCount < 9 { return end }
      }
      dependencyByteCount = 0
      header = Header(type: type, flags: flags, byteCount: payloadLeft, stream: Int32(bitPattern: stream & 0x7FFF_FFFF))
    }
    let count = isHeaderHeld ? 0 : min(payloadLeft, input.count - end)
    payloadLeft -= count
    if type == FrameType.priority.rawValue { noteDependency(input, end..<end + count) }
    if payloadLeft == 0 {
      headerCount = 0
      if type == FrameType.headers.rawValue || type == FrameType.continuation.rawValue {
        isBlockOpen = flags & FrameFlag.endHeaders == 0
      }
    }
    return end + count
  }

  /// Part of the preface, of a frame or of a header block has come. A DATA frame's payload does not count: it is a
  /// body's, which has time of its own.
  var isOpen: Bool {
    if headerCount > 0 { return headerCount < 9 || type != FrameType.data.rawValue }
    return isBlockOpen || prefaceLeft > 0 && prefaceLeft < 24
  }

  private mutating func noteDependency(_ input: Span<UInt8>, _ payload: Range<Int>) {
    for index in payload where dependencyByteCount < 4 {
      dependency = dependency << 8 | UInt32(input[index])
      dependencyByteCount += 1
    }
  }

  /// A PRIORITY frame that says of a stream that it depends on itself (RFC 7540 §5.3.1) has just ended, or nearly.
  var isSelfDependent: Bool {
    !isHeaderHeld && type == FrameType.priority.rawValue && dependencyByteCount == 4
      && (dependency ^ stream) & 0x7FFF_FFFF == 0
  }
}
