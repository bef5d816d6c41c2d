// Folders of which the system reports changes (inotify). What has changed is for others to find out.

import Dispatch
import Glibc
import NIOConcurrencyHelpers

/// Wakes its owner when a name in one of the folders came, went or was replaced, or when a file there was written and
/// closed.
final class FolderWatch: Sendable {
  /// One element for all changes since the last one was taken.
  var changes: AsyncStream<Void> { change.calls }
  private let change = WakeUp()
  /// Negative where the system has none left.
  private let descriptor: Int32
  /// Numbers of the folders as the system gave them.
  private let numbers = NIOLockedValueBox<Set<Int32>>([])
  // SAFETY: it is only held here, and cancelled once nobody else has this object.
  private nonisolated(unsafe) let source: (any DispatchSourceRead)?

  /// A file that is open for writing is not reported before it is closed, so that a log wakes nobody.
  private static let events = UInt32(
    IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

  init() {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    self.descriptor = descriptor
    guard descriptor >= 0 else {
      // SAFETY: nobody else has this object yet, here and below.
      unsafe source = nil
      return
    }
    let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: DispatchQueue(label: "catraca.watch"))
    source.setEventHandler { [change] in
      Self.drain(descriptor)
      change.ring()
    }
    source.setCancelHandler { close(descriptor) }
    source.resume()
    unsafe self.source = source
  }

  deinit {
    // SAFETY: nobody else has this object any more.
    unsafe source?.cancel()
  }

  /// As if something had changed.
  func lookAgain() { change.ring() }

  /// Watches these folders and no others. A folder that does not exist is left out.
  /// - Returns: why some are not watched, or nil.
  func watch(_ folders: Set<String>) -> String? {
    if descriptor < 0 { return "inotify is not available" }
    var problem: String?
    var fresh: Set<Int32> = []
    for folder in folders {
      // SAFETY: the path lives through the call. A folder that is watched already keeps its number.
      let number = unsafe inotify_add_watch(descriptor, folder, Self.events | UInt32(IN_ONLYDIR))
      if number >= 0 {
        fresh.insert(number)
      } else if errno != ENOENT, errno != ENOTDIR {
        // SAFETY: strerror answers a C string for every number. It is copied at once.
        problem = unsafe "\(folder): \(String(cString: strerror(errno)))"
      }
    }
    let old = numbers.withLockedValue { numbers in
      defer { numbers = fresh }
      return numbers
    }
    for number in old.subtracting(fresh) { inotify_rm_watch(descriptor, number) }
    return problem
  }

  private static func drain(_ descriptor: Int32) {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    // SAFETY: the buffer is valid for the call and as long as it says.
    while unsafe buffer.withUnsafeMutableBytes({ unsafe read(descriptor, $0.baseAddress, $0.count) }) > 0 {}
  }
}
