// How sockets begin: by listening, by accepting, by connecting.

import CLinux
import Configuration
import Glibc
import Proxy

extension Descriptor {
  private static let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  /// LIMIT: connections that wait to be accepted. The system may have a smaller one (`net.core.somaxconn`).
  private static let backlog: CInt = 4096

  /// A socket that listens.
  ///
  /// - Parameter isShared: other sockets of this process listen on the same address (SO_REUSEPORT).
  static func listening(on address: SocketAddress, isShared: Bool) throws(SystemError) -> Descriptor {
    let descriptor = try make(address.family)
    if address.isNetwork {
      descriptor.set(SOL_SOCKET, SO_REUSEADDR, CInt(1))
      if isShared { descriptor.set(SOL_SOCKET, SO_REUSEPORT, CInt(1)) }
      // Sockets that are accepted inherit it.
      descriptor.set(CInt(IPPROTO_TCP), TCP_NODELAY, CInt(1))
      // `[::]` takes IPv6 only, whatever the system's default: then it is beside `0.0.0.0` on one port, and every
      // client has one address.
      if address.family == AF_INET6 { descriptor.set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, CInt(1)) }
    }
    // SAFETY: the address lives through the call.
    let status = unsafe address.withPointer { unsafe bind(descriptor.number, $0, $1) }
    if status != 0 || listen(descriptor.number, backlog) != 0 {
      let code = errno
      descriptor.close()
      throw SystemError(code: code)
    }
    return descriptor
  }

  /// Begins to connect: whether it succeeded is known once the socket can be written to.
  static func connecting(to address: SocketAddress) throws(SystemError) -> Descriptor {
    let descriptor = try make(address.family)
    if address.isNetwork { descriptor.set(CInt(IPPROTO_TCP), TCP_NODELAY, CInt(1)) }
    // SAFETY: the address lives through the call.
    let status = unsafe address.withPointer { unsafe connect(descriptor.number, $0, $1) }
    if status == 0 || errno == EINPROGRESS || errno == EINTR { return descriptor }
    let code = errno
    descriptor.close()
    // It may mean that no port is left, or that this machine has no address of that family: then another kind of socket
    // does not reach the server either.
    if code == EADDRNOTAVAIL, !hasRoute(to: address) { throw SystemError(code: ENETUNREACH) }
    throw SystemError(code: code)
  }

  private static func hasRoute(to address: SocketAddress) -> Bool {
    let number = socket(address.family, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if number < 0 { return true }
    defer { _ = Glibc.close(number) }
    // SAFETY: the address lives through the call, which sends nothing.
    return unsafe address.withPointer { unsafe connect(number, $0, $1) } == 0
  }

  /// Whether somebody listens on a Unix socket.
  static func isAnswered(_ address: SocketAddress) -> Bool {
    do throws(SystemError) {
      try connecting(to: address).close()
      return true
    } catch {
      // Of whom many wait for.
      return error.code == EAGAIN
    }
  }

  private static func make(_ family: CInt) throws(SystemError) -> Descriptor {
    let number = socket(family, kind, 0)
    if number < 0 { throw SystemError(code: errno) }
    return Descriptor(number: number)
  }

  /// What listening gave.
  enum Accepted {
    case client(Descriptor, PeerAddress)
    /// Nobody waits, or the waiting client is gone.
    case none
    /// The process or the system has no more descriptors, or no memory.
    case starved
  }

  func accept() -> Accepted {
    while true {
      var storage = sockaddr_storage()
      var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
      // SAFETY: the call fills the storage, which is as long as any address.
      let number = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe accept4(self.number, $0, &size, CInt(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
        }
      }
      if number >= 0 { return .client(Descriptor(number: number), SocketAddress(storage, size: size).peer) }
      switch errno {
      case EINTR, ECONNABORTED, EPROTO: continue
      case EMFILE, ENFILE, ENOMEM, ENOBUFS: return .starved
      default: return .none
      }
    }
  }

  /// The port that a listening socket really has. 0 for a Unix socket.
  func localPort() -> Int { localAddress()?.port ?? 0 }

  /// The address of a socket as the configuration writes it. Nil for a family that it does not know.
  func localName() -> String? { localAddress()?.name }

  private func localAddress() -> SocketAddress? {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    // SAFETY: as for accept.
    let status = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(number, $0, &size) }
    }
    return status == 0 ? SocketAddress(storage, size: size) : nil
  }
}
