// Words of memory that several threads read and change at the same time, each word separately and without a lock.
// Tables that all workers share are made of them.
//
// Invariant: `base` points to `count` words from `init` to `deinit`. Every access is atomic and within them.

import Glibc
public import Synchronization

/// A fixed run of 64-bit words, all zero at first. Memory that was never written to costs nothing but addresses.
@safe
public final class AtomicWords: @unchecked Sendable {
  // SAFETY (@unchecked): the pointer never changes, and what it points to is changed by atomic operations only.
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>
  public let count: Int

  public init(count: Int) {
    self.count = max(count, 1)
    // SAFETY: zero bits are the representation of an Atomic that holds 0, which has the size of its word. A failed
    // allocation ends the process as it does everywhere in Swift.
    guard let memory = unsafe calloc(self.count, MemoryLayout<Atomic<UInt64>>.stride) else { abort() }
    unsafe base = memory.bindMemory(to: Atomic<UInt64>.self, capacity: self.count)
  }

  deinit {
    // SAFETY: base came from calloc and nobody else owns it.
    unsafe free(base)
  }

  @inlinable @inline(__always)
  public func load(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    // SAFETY: the index was checked.
    return unsafe base[index].load(ordering: .acquiring)
  }

  /// As ``load(_:)``, in one order with all exchanges of all threads.
  @inlinable @inline(__always)
  public func loadInOrder(_ index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    // SAFETY: the index was checked.
    return unsafe base[index].load(ordering: .sequentiallyConsistent)
  }

  /// Puts `desired` in the place of `expected`. Returns what was there: `expected` when it was done.
  @inlinable @inline(__always)
  public func exchange(_ index: Int, from expected: UInt64, to desired: UInt64) -> UInt64 {
    precondition(index >= 0 && index < count)
    // SAFETY: the index was checked.
    return unsafe base[index].compareExchange(
      expected: expected, desired: desired, ordering: .sequentiallyConsistent
    ).original
  }
}
