// One message to a Unix socket of datagrams.

import Glibc

package enum Datagram {
  /// Sends it, or does not: nobody waits for an answer.
  /// - Parameter path: of the socket. `@` in front of it is an address outside of the file system.
  package static func send(_ text: String, toSocketAt path: String) {
    let bytes = Array(path.utf8)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    // SAFETY: the path is shorter than the field.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
      unsafe field.copyBytes(from: bytes)
      if bytes[0] == UInt8(ascii: "@") { unsafe field[0] = 0 }
    }
    let number = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if number < 0 { return }
    defer { close(number) }
    let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
    let size = socklen_t(header + bytes.count)
    // SAFETY: address and text live through the call, which reads as many bytes of each as it is told.
    unsafe withUnsafePointer(to: address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { target in
        var text = text
        text.withUTF8 {
          _ = unsafe sendto(number, $0.baseAddress, $0.count, CInt(truncatingIfNeeded: MSG_NOSIGNAL), target, size)
        }
      }
    }
  }
}
