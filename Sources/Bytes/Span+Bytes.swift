// Bulk operations on spans of bytes that the standard library does not offer without `unsafe`: compare, search, hash,
// copy.

import Glibc

// `@_effects(readonly)`: they release nothing, so a caller need not retain what a span lies in. Where that is memory
// which was not touched for long, the retain would wait for it.

extension Span where Element == UInt8 {
  /// Whether both spans hold the same bytes. Not constant-time: never use it on secrets.
  @_effects(readonly)
  public func equals(_ other: Span<UInt8>) -> Bool {
    let count = self.count
    if count != other.count { return false }
    if count == 0 { return true }
    // Names of one length mostly differ in their first byte: no call for those.
    if self[0] != other[0] { return false }
    // SAFETY: both spans are `count` bytes long.
    return unsafe withUnsafeBufferPointer { a in
      unsafe other.withUnsafeBufferPointer { b in
        unsafe memcmp(a.baseAddress.unsafelyUnwrapped, b.baseAddress.unsafelyUnwrapped, count) == 0
      }
    }
  }

  @_effects(readonly)
  public func equals(_ other: [UInt8]) -> Bool { equals(other.span) }

  /// Whether the span spells this word.
  @_effects(readonly)
  public func equals(_ word: StaticString) -> Bool {
    if count != word.utf8CodeUnitCount || !word.hasPointerRepresentation { return false }
    // SAFETY: the literal has as many bytes as the span.
    for index in indices where unsafe self[index] != word.utf8Start[index] { return false }
    return true
  }

  /// Whether the span spells this lower-case ASCII word in any case.
  @_effects(readonly)
  public func equalsIgnoringCase(_ word: StaticString) -> Bool {
    if count != word.utf8CodeUnitCount || !word.hasPointerRepresentation { return false }
    for index in indices {
      let byte = self[index]
      let lowered = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
      // SAFETY: the literal has as many bytes as the span.
      if unsafe lowered != word.utf8Start[index] { return false }
    }
    return true
  }

  /// The index of the first `byte` at or after `from`, or nil.
  @_effects(readonly)
  public func firstIndex(of byte: UInt8, from: Int = 0) -> Int? {
    let count = self.count
    if from >= count || from < 0 { return nil }
    // SAFETY: the range from ..< count lies in the span.
    return unsafe withUnsafeBufferPointer { bytes in
      let base = unsafe UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped)
      guard let hit = unsafe memchr(base + from, Int32(byte), count - from) else { return nil }
      return unsafe UnsafeRawPointer(hit) - base
    }
  }

  /// A hash of all bytes under a secret key: 8 bytes a step, each folded through a 64 × 64 → 128 bit product. Good for
  /// tables whose entries an attacker cannot choose freely. It is no message authentication code.
  @_effects(readonly)
  public func keyedHash(_ key0: UInt64, _ key1: UInt64) -> UInt64 {
    // SAFETY: each load reads 8 bytes at an offset <= count - 8, the tail is read byte by byte.
    unsafe withUnsafeBytes { bytes in
      let secret = key1 | 1
      var offset = 0
      // Four runs side by side: one alone waits for its multiplication in every step.
      var lane0 = key0 ^ UInt64(truncatingIfNeeded: bytes.count)
      var lane1 = key1
      var lane2 = key0 &+ 0x9E37_79B9_7F4A_7C15
      var lane3 = key1 &+ 0xD1B5_4A32_D192_ED03
      while offset + 32 <= bytes.count {
        let word0 = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let word1 = unsafe bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
        let word2 = unsafe bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self)
        let word3 = unsafe bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
        lane0 = Self.fold(lane0 ^ word0, secret) &+ key0
        lane1 = Self.fold(lane1 ^ word1, secret) &+ key0
        lane2 = Self.fold(lane2 ^ word2, secret) &+ key0
        lane3 = Self.fold(lane3 ^ word3, secret) &+ key0
        offset += 32
      }
      var state = lane0
      if bytes.count >= 32 {
        state = Self.fold(state ^ lane1, secret) &+ lane2
        state = Self.fold(state ^ lane3, secret) &+ key0
      }
      while offset + 8 <= bytes.count {
        state = unsafe Self.fold(state ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self), secret) &+ key0
        offset += 8
      }
      var tail: UInt64 = 0
      while offset < bytes.count {
        tail = unsafe tail << 8 | UInt64(bytes[offset])
        offset += 1
      }
      return Self.fold(Self.fold(state ^ tail, secret), 0x9E37_79B9_7F4A_7C15)
    }
  }

  /// Both halves of the 128 bit product, folded into one.
  fileprivate static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  /// The bytes as an array: a copy, for what outlives the span.
  public func copied() -> [UInt8] {
    // SAFETY: the span outlives the call, which copies the bytes.
    unsafe withUnsafeBufferPointer { unsafe Array($0) }
  }

  /// These bytes and the others behind them as one array, with no room to spare.
  public func copied(before others: Span<UInt8>) -> [UInt8] {
    let count = self.count
    let otherCount = others.count
    // SAFETY: the array is created with exactly the bytes of both, all of them initialised by the copies.
    return unsafe [UInt8](unsafeUninitializedCapacity: count + otherCount) { buffer, initialized in
      unsafe withUnsafeBufferPointer { source in
        if let to = buffer.baseAddress, let from = source.baseAddress { _ = unsafe memcpy(to, from, count) }
      }
      unsafe others.withUnsafeBufferPointer { source in
        if let to = buffer.baseAddress, let from = source.baseAddress {
          _ = unsafe memcpy(to + count, from, otherCount)
        }
      }
      initialized = count + otherCount
    }
  }

  /// The bytes as text, with U+FFFD for what is not UTF-8: for logs and messages, not for decisions.
  public func text() -> String {
    // SAFETY: the span outlives the call, which copies the bytes.
    unsafe withUnsafeBufferPointer { bytes in
      unsafe String(decoding: bytes, as: UTF8.self)
    }
  }
}

/// The like of ``Swift/Span/keyedHash(_:_:)`` for two words.
public func keyedHash(of high: UInt64, _ low: UInt64, _ key0: UInt64, _ key1: UInt64) -> UInt64 {
  let secret = key1 | 1
  let state = Span<UInt8>.fold(Span<UInt8>.fold(key0 ^ high, secret) &+ key0 ^ low, secret)
  return Span<UInt8>.fold(state, 0x9E37_79B9_7F4A_7C15)
}

extension [UInt8] {
  /// Appends all bytes of a span at once. Allocates only where there is no room.
  public mutating func append(_ bytes: Span<UInt8>) {
    // SAFETY: the span cannot overlap this array's own memory, which nobody else may look at meanwhile.
    unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}
