// Memory that empty queues gave back, for the next queue that has something to say: thousands of idle connections hold
// none, a busy one allocates none, and what was used last, which is still in the processor's cache, is used next.
//
// Invariant: each kept block has `byteCount` bytes, belongs to nobody else, and begins with the address of the one
// below it.

import Glibc

/// A stack of blocks of one size. Public as ``ByteQueue`` is.
@safe
public struct BlockPool: ~Copyable {
  @usableFromInline var top: UnsafeMutablePointer<UInt8>?
  @usableFromInline var count = 0
  /// Bytes of a block.
  public let byteCount: Int
  @usableFromInline let countMax: Int

  /// - Parameter byteCount: of a block. At least 512, the least that a queue has.
  /// - Parameter countMax: LIMIT: so many blocks are kept. Others are freed.
  public init(byteCount: Int, countMax: Int) {
    self.byteCount = max(byteCount, 512)
    self.countMax = countMax
    unsafe top = nil
  }

  deinit {
    // SAFETY: every kept block came from malloc in a queue, and the pool is the only owner of it.
    var next = unsafe top
    while let block = unsafe next {
      unsafe next = Self.below(block)
      unsafe free(block)
    }
  }

  /// Gives a block to a queue that owns no memory.
  @inlinable @inline(__always)
  public mutating func lend(to queue: inout ByteQueue) {
    if queue.capacity > 0 { return }
    guard let block = unsafe top else { return queue.reserve(byteCount) }
    // SAFETY: the block leaves the pool, and the queue becomes its only owner.
    unsafe top = Self.below(block)
    count -= 1
    unsafe queue.base = block
    queue.capacity = byteCount
  }

  /// Takes an empty queue's memory: as a block where it is one, or else it is freed.
  @inlinable @inline(__always)
  public mutating func take(from queue: inout ByteQueue) {
    guard queue.isEmpty, queue.capacity > 0 else { return }
    guard queue.capacity == byteCount, count < countMax, let block = unsafe queue.base else {
      return queue.releaseStorage()
    }
    // SAFETY: the block has room for an address (init), is aligned as malloc aligns, and leaves the queue.
    unsafe UnsafeMutableRawPointer(block).storeBytes(of: top, as: UnsafeMutablePointer<UInt8>?.self)
    unsafe top = block
    count += 1
    unsafe queue.base = nil
    queue.capacity = 0
    queue.removeAll()
  }

  // SAFETY: a kept block begins with such an address. See `take`.
  @usableFromInline
  static func below(_ block: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8>? {
    unsafe UnsafeMutableRawPointer(block).load(as: UnsafeMutablePointer<UInt8>?.self)
  }
}

/// The memory that is received into, and that bodies go out from. Constants that other targets' compilers see.
public enum BodyBlock {
  /// LIMIT: so much is received at a time.
  @inlinable public static var contentByteCount: Int { 64 * 1024 }
  /// In front of what is received, for a head that is longer than the one that came with it.
  @inlinable public static var headroom: Int { 1024 }
  @inlinable public static var byteCount: Int { headroom + contentByteCount }
}
