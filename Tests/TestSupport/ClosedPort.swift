// Ports on which nobody listens, for servers that are down.

import Glibc

/// A port of 127.0.0.1 on which connecting is refused. It is bound for the rest of the run, so that the kernel gives it
/// to no other test's server. A program that asks for it by number may listen on it.
package func closedPort() throws -> Int {
  // SAFETY: plain calls of the system, with an address that lives across them.
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var isReused: Int32 = 1
  let integerSize = socklen_t(MemoryLayout<Int32>.size)
  unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, integerSize)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
      let status = unsafe bind(descriptor, address, size)
      return unsafe status == 0 ? getsockname(descriptor, address, &size) : status
    }
  }
  guard status == 0 else { throw ClosedPortFailure(code: errno) }
  return Int(UInt16(bigEndian: address.sin_port))
}

private struct ClosedPortFailure: Error {
  let code: Int32
}
