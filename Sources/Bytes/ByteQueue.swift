// A growable run of bytes with a front that moves: what has been received and not yet read, or produced and not yet
// written. It is the one place where the data plane's bytes live in memory of our own, so that every other target can
// do without `unsafe`.
//
// Invariant: 0 <= start <= end <= capacity, and `base` points to `capacity` bytes whenever capacity is not 0.
//
// Public, where the other targets have `package`: the compiler inlines into other modules only what is public, and in
// the request path these are called hundreds of times.

import Glibc

/// A first-in, first-out queue of bytes with one owner. Empty queues own no memory once ``releaseStorage()`` was
/// called.
@safe
public struct ByteQueue: ~Copyable {
  @usableFromInline var base: UnsafeMutablePointer<UInt8>?
  @usableFromInline var start = 0
  @usableFromInline var end = 0
  @usableFromInline var capacity = 0

  @inlinable
  public init() { unsafe base = nil }

  deinit {
    // SAFETY: base came from malloc in `grow` and this type is the only owner of it.
    unsafe free(base)
  }

  /// Bytes that wait in the queue.
  @inlinable @inline(__always)
  public var count: Int { end - start }

  @inlinable @inline(__always)
  public var isEmpty: Bool { end == start }

  /// Bytes of memory that the queue holds on to, used or not.
  @inlinable
  public var allocatedByteCount: Int { capacity }

  /// The waiting bytes, in order.
  @inlinable @inline(__always)
  public var span: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      // SAFETY: start ..< end are initialised bytes of the allocation, which lives as long as the borrow of self.
      let first = unsafe base.map { unsafe UnsafePointer($0 + start) } ?? Self.nowhere
      let view = unsafe Span(_unsafeStart: first, count: end - start)
      return unsafe _overrideLifetime(view, borrowing: self)
    }
  }

  /// A valid address for empty spans.
  @usableFromInline static var nowhere: UnsafePointer<UInt8> {
    // SAFETY: never read through: it only ever is in a span of 0 bytes.
    unsafe UnsafePointer(bitPattern: 1).unsafelyUnwrapped
  }

  /// Makes room for `extra` bytes behind the last one.
  @inlinable @inline(__always)
  public mutating func reserve(_ extra: Int) {
    if capacity - end < extra { grow(extra) }
  }

  @usableFromInline
  mutating func grow(_ extra: Int) {
    let used = end - start
    // SAFETY: both ranges lie in the allocation that this type owns. memmove allows them to overlap.
    if start > 0, capacity - used >= extra, start >= used, let base = unsafe base {
      unsafe memmove(base, base + start, used)
    } else {
      let wanted = max(used + extra, min(capacity * 2, capacity + 1 << 20), 512)
      // SAFETY: a failed allocation ends the process as it does everywhere in Swift. The old block is freed exactly
      // once.
      guard let larger = unsafe malloc(wanted) else { abort() }
      let fresh = unsafe larger.assumingMemoryBound(to: UInt8.self)
      if let base = unsafe base {
        unsafe memcpy(fresh, base + start, used)
        unsafe free(base)
      }
      unsafe base = fresh
      capacity = wanted
    }
    start = 0
    end = used
  }

  @inlinable @inline(__always)
  public mutating func append(_ byte: UInt8) {
    reserve(1)
    // SAFETY: reserve made base non-nil with room at `end`.
    unsafe base.unsafelyUnwrapped[end] = byte
    end += 1
  }

  /// Appends the four bytes of a number, the lowest first.
  @inlinable @inline(__always)
  public mutating func append(littleEndian value: UInt32) {
    reserve(4)
    // SAFETY: reserve made room for four bytes behind the old end.
    unsafe UnsafeMutableRawPointer(base.unsafelyUnwrapped + end).storeBytes(of: value.littleEndian, as: UInt32.self)
    end += 4
  }

  /// Appends the eight bytes of a number, the lowest first.
  @inlinable @inline(__always)
  public mutating func append(littleEndian value: UInt64) {
    reserve(8)
    // SAFETY: reserve made room for eight bytes behind the old end.
    unsafe UnsafeMutableRawPointer(base.unsafelyUnwrapped + end).storeBytes(of: value.littleEndian, as: UInt64.self)
    end += 8
  }

  /// Puts another byte in the place of one that waits. Where there is none, nothing happens.
  @inlinable @inline(__always)
  public mutating func replace(at offset: Int, with byte: UInt8) {
    if offset < 0 || offset >= count { return }
    // SAFETY: the place lies between start and end.
    unsafe base.unsafelyUnwrapped[start + offset] = byte
  }

  @inlinable
  public mutating func append(_ bytes: Span<UInt8>) {
    let count = bytes.count
    if count == 0 { return }
    reserve(count)
    // SAFETY: reserve made room for `count` bytes at `end`. A span cannot overlap memory behind our own end.
    unsafe bytes.withUnsafeBufferPointer { source in
      unsafe (base.unsafelyUnwrapped + end).update(from: source.baseAddress.unsafelyUnwrapped, count: count)
    }
    end += count
  }

  @inlinable @inline(__always)
  public mutating func append(_ text: StaticString) {
    let count = text.utf8CodeUnitCount
    if count == 0 { return }
    reserve(count)
    if text.hasPointerRepresentation {
      // SAFETY: a literal's bytes live for ever. Room was made above.
      unsafe (base.unsafelyUnwrapped + end).update(from: text.utf8Start, count: count)
    } else {
      // A one-character literal may be stored as a scalar.
      unsafe base.unsafelyUnwrapped[end] = UInt8(truncatingIfNeeded: text.unicodeScalar.value)
    }
    end += count
  }

  /// Makes room for `count` bytes behind the last one and appends what `fill` puts there, at most all of it.
  @inlinable
  public mutating func append(upTo count: Int, _ fill: (inout OutputSpan<UInt8>) -> Void) {
    if count <= 0 { return }
    reserve(count)
    // SAFETY: the room lies behind our own end and nobody else knows it. finalize gives how much of it was initialised.
    let room = unsafe UnsafeMutableBufferPointer(start: base.unsafelyUnwrapped + end, count: count)
    var output = unsafe OutputSpan(buffer: room, initializedCount: 0)
    fill(&output)
    end += unsafe output.finalize(for: room)
  }

  /// Appends all bytes of another queue, which then is empty. Its memory is taken over where there is nothing before
  /// the bytes, or room in front of them for what is: then they are not copied, and it has this queue's memory instead.
  public mutating func append(moving other: inout ByteQueue) {
    let used = count
    if used > other.start {
      append(other.span)
    } else {
      if used > 0, let target = unsafe other.base, let base = unsafe base {
        other.start -= used
        // SAFETY: both ranges lie in the allocations that the two queues own, which are two. `start` was at least
        // `used`.
        unsafe memcpy(target + other.start, base + start, used)
      }
      swap(&self, &other)
    }
    other.removeAll()
  }

  /// Leaves so many bytes in front of the first one free. For an empty queue.
  @inlinable
  public mutating func leaveRoom(_ byteCount: Int) {
    if !isEmpty || byteCount <= 0 { return }
    reserve(byteCount)
    start = byteCount
    end = byteCount
  }

  /// Appends the bytes with ASCII letters in lower case.
  public mutating func append(lowering bytes: Span<UInt8>) {
    append(bytes)
    // Only now: making room may have moved what was there.
    var place = end - bytes.count
    while place + 8 <= end {
      // SAFETY: the eight bytes lie before our own end.
      let start = unsafe UnsafeMutableRawPointer(base.unsafelyUnwrapped + place)
      let word = unsafe start.loadUnaligned(as: UInt64.self)
      let seven = word & 0x7F7F_7F7F_7F7F_7F7F
      // The top bit of each byte that is at least `A` and not above `Z`.
      let upper = (seven &+ 0x3F3F_3F3F_3F3F_3F3F) & ~(seven &+ 0x2525_2525_2525_2525) & ~word & 0x8080_8080_8080_8080
      unsafe start.storeBytes(of: word | upper >> 2, as: UInt64.self)
      place += 8
    }
    while place < end {
      // SAFETY: the byte lies before our own end.
      let byte = unsafe base.unsafelyUnwrapped[place]
      if byte &- 0x41 < 26 { unsafe base.unsafelyUnwrapped[place] = byte | 0x20 }
      place += 1
    }
  }

  /// Labelled, so that a literal always takes the cheaper `StaticString` form.
  public mutating func append(text: String) {
    append(text.utf8.span)
  }

  public mutating func append(_ bytes: [UInt8]) {
    append(bytes.span)
  }

  /// The waiting bytes as an array, for what outlives the queue.
  public func copied() -> [UInt8] { span.copied() }

  /// The waiting bytes as text, for messages.
  public func text() -> String { span.text() }

  /// Appends a number in decimal digits.
  public mutating func append(decimal value: UInt64) {
    var digits = 1
    var power: UInt64 = 10
    while digits < 20, value >= power {
      digits += 1
      if digits < 20 { power *= 10 }
    }
    reserve(digits)
    var rest = value
    var place = end + digits
    end = place
    while place > end - digits {
      place -= 1
      // SAFETY: reserve made room for all digits behind the old end.
      unsafe base.unsafelyUnwrapped[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
      rest /= 10
    }
  }

  private static let hexadecimalDigits: StaticString = "0123456789abcdef"

  /// Appends a number in lower-case hexadecimal digits, without leading zeros unless `width` (at most 16) asks for
  /// them.
  public mutating func append(hexadecimal value: UInt64, width: Int = 1) {
    if width == 16 { return appendAllDigits(of: value) }
    let digits = min(max(width, (UInt64.bitWidth - value.leadingZeroBitCount + 3) / 4), 16)
    reserve(digits)
    var rest = value
    var place = end + digits
    end = place
    while place > end - digits {
      place -= 1
      // SAFETY: reserve made room for all digits behind the old end. Four bits choose one of sixteen bytes.
      unsafe base.unsafelyUnwrapped[place] = Self.hexadecimalDigits.utf8Start[Int(rest & 15)]
      rest >>= 4
    }
  }

  /// Sixteen digits in one step: each of four bits becomes a byte, and that byte a digit.
  private mutating func appendAllDigits(of value: UInt64) {
    reserve(16)
    // SAFETY: eight bytes either way, and each of them may have any value.
    let bytes = unsafe unsafeBitCast(value.bigEndian, to: SIMD8<UInt8>.self)
    var digits = SIMD16<UInt8>()
    digits.evenHalf = bytes &>> 4
    digits.oddHalf = bytes & 15
    // The letter a comes 39 places behind where the digit for ten would be.
    let letters = (0 &- ((digits &+ 6) &>> 4)) & 39
    digits = digits &+ 48 &+ letters
    // SAFETY: reserve made room for 16 bytes behind the old end.
    unsafe UnsafeMutableRawPointer(base.unsafelyUnwrapped + end).storeBytes(of: digits, as: SIMD16<UInt8>.self)
    end += 16
  }

  /// Drops the first `count` bytes, at most all of them.
  @inlinable
  public mutating func removeFirst(_ count: Int) {
    start += max(0, min(count, end - start))
    if start == end {
      start = 0
      end = 0
    }
  }

  /// Drops bytes at the end until `count` are left.
  @inlinable
  public mutating func truncate(to count: Int) {
    if count < end - start { end = start + max(0, count) }
  }

  /// Drops all bytes and keeps the memory.
  @inlinable
  public mutating func removeAll() {
    start = 0
    end = 0
  }

  /// Drops all bytes and gives the memory back.
  public mutating func releaseStorage() {
    // SAFETY: as in deinit. base is nil afterwards.
    unsafe free(base)
    unsafe base = nil
    start = 0
    end = 0
    capacity = 0
  }
}
