// Names of servers, by the system's own resolver.

import CLinux
import Glibc

enum NameLookup {
  /// Asks for a name's addresses, IPv4 first, on a thread of its own: the system's call waits. The answer comes by the mailbox.
  static func begin(
    _ host: String, port: UInt16, for mailbox: Mailbox,
    _ answer: @escaping @Sendable (WorkerLoop, SocketAddress?) -> Void
  ) {
    do {
      try WorkerThread.start(name: "names") {
        let found = first(host, port)
        mailbox.post { answer($0, found) }
      }
    } catch {
      mailbox.post { answer($0, nil) }
    }
  }

  private static func first(_ host: String, _ port: UInt16) -> SocketAddress? {
    for family in [AF_INET, AF_INET6] {
      // SAFETY: the structure is filled field by field; the list is read before it is freed, once, by whom it was made for.
      var hints = unsafe addrinfo()
      unsafe hints.ai_family = family
      unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
      var list: UnsafeMutablePointer<addrinfo>?
      guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0, let entry = unsafe list else { continue }
      defer { unsafe freeaddrinfo(entry) }
      var storage = sockaddr_storage()
      // SAFETY: no more is copied than both sides have.
      let size = unsafe min(Int(entry.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
      unsafe withUnsafeMutableBytes(of: &storage) {
        unsafe $0.copyMemory(from: UnsafeRawBufferPointer(start: entry.pointee.ai_addr, count: size))
      }
      return SocketAddress(storage, size: socklen_t(size))
    }
    return nil
  }
}
