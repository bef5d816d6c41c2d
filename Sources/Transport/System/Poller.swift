// epoll: which of a worker's descriptors have something to say.

import CLinux
import Glibc

/// What a descriptor is watched for, and what it said.
struct Readiness: OptionSet {
  let rawValue: UInt32

  static let input = Readiness(rawValue: EPOLLIN.rawValue)
  static let output = Readiness(rawValue: EPOLLOUT.rawValue)
  /// The peer sends no more.
  static let inputEnd = Readiness(rawValue: EPOLLRDHUP.rawValue)
  /// Both directions are over, or the connection failed. Always watched for.
  static let end: Readiness = [Readiness(rawValue: EPOLLHUP.rawValue), .failure]
  static let failure = Readiness(rawValue: EPOLLERR.rawValue)
  /// Reported once for each change, not for as long as it lasts.
  static let edge = Readiness(rawValue: EPOLLET.rawValue)
}

/// One worker's epoll descriptor. Used on the worker's thread only, and closed with it.
// SAFETY: of an event's union only the number is ever written and read.
@safe final class Poller {
  private let number: CInt
  // LIMIT: so many are looked at in one turn of the loop. The others keep until the next.
  private var events = unsafe [epoll_event](repeating: epoll_event(), count: 256)

  init() throws(SystemError) {
    number = epoll_create1(CInt(EPOLL_CLOEXEC))
    if number < 0 { throw SystemError(code: errno) }
  }

  deinit { _ = close(number) }

  /// - Parameter token: given back with each event.
  /// - Returns: false when the system has no memory for it.
  func add(_ descriptor: Descriptor, token: UInt64, _ readiness: Readiness) -> Bool {
    control(EPOLL_CTL_ADD, descriptor, token, readiness)
  }

  /// A descriptor that is closed needs no word here: the kernel forgets it.
  func change(_ descriptor: Descriptor, token: UInt64, _ readiness: Readiness) {
    _ = control(EPOLL_CTL_MOD, descriptor, token, readiness)
  }

  private func control(_ operation: CInt, _ descriptor: Descriptor, _ token: UInt64, _ readiness: Readiness) -> Bool {
    // SAFETY: the call reads the event and keeps its contents.
    var event = unsafe epoll_event()
    unsafe event.events = readiness.rawValue
    unsafe event.data.u64 = token
    return unsafe epoll_ctl(number, operation, descriptor.number, &event) == 0
  }

  /// - Returns: how many events there are. ``subscript(_:)`` has them until the next wait.
  func wait(milliseconds: CInt) -> Int {
    let number = number
    // SAFETY: the call fills at most `count` events of the array.
    let count = unsafe events.withUnsafeMutableBufferPointer {
      unsafe epoll_wait(number, $0.baseAddress, CInt(truncatingIfNeeded: $0.count), milliseconds)
    }
    return max(0, Int(count))
  }

  subscript(index: Int) -> (token: UInt64, readiness: Readiness) {
    // SAFETY: the kernel gives the token back as it was given.
    unsafe (events[index].data.u64, Readiness(rawValue: events[index].events))
  }
}
