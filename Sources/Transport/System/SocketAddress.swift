// Addresses as the system has them.

import CLinux
import Configuration
import Glibc
import Proxy

/// An IPv4, IPv6 or Unix address.
struct SocketAddress {
  private var storage: sockaddr_storage
  private var size: socklen_t

  init(_ storage: sockaddr_storage, size: socklen_t) {
    self.storage = storage
    self.size = size
  }

  /// Nil for a host that is a name, and for a path that is too long.
  init?(_ address: Address) {
    storage = sockaddr_storage()
    switch address {
    case .network(let host, let port):
      guard let literal = PeerAddress(host.utf8.span) else { return nil }
      size = literal.isIPv4 ? Self.write(v4: literal, port, to: &storage) : Self.write(v6: literal, port, to: &storage)
    case .unix(let path):
      guard let written = Self.write(path: path, to: &storage) else { return nil }
      size = written
    }
  }

  var family: CInt { CInt(storage.ss_family) }
  var isNetwork: Bool { family != AF_UNIX }

  /// 0 for a Unix socket.
  var port: Int {
    // In both families the port follows the family, in network order.
    guard isNetwork else { return 0 }
    return read(as: sockaddr_in.self) { Int(UInt16(bigEndian: $0.sin_port)) }
  }

  /// All zero for a Unix socket.
  var peer: PeerAddress {
    switch family {
    case AF_INET:
      let bits = read(as: sockaddr_in.self) { UInt32(bigEndian: $0.sin_addr.s_addr) }
      return PeerAddress(high: 0, low: 0xFFFF_0000_0000 | UInt64(bits))
    case AF_INET6:
      let (high, low) = read(as: sockaddr_in6.self) { address in
        // SAFETY: an in6_addr is 16 bytes, which any two words may be read from.
        unsafe withUnsafeBytes(of: address.sin6_addr) {
          unsafe ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
      }
      return PeerAddress(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    default: return PeerAddress(high: 0, low: 0)
    }
  }

  /// As ``Address/description`` writes it. Nil for another family, and for a Unix socket without a path.
  var name: String? {
    switch family {
    case AF_INET, AF_INET6: return Address(host: peer.text, port: UInt16(clamping: port)).description
    case AF_UNIX:
      let path = read(as: sockaddr_un.self) { address in
        // SAFETY: the field's bytes are read as they are.
        unsafe withUnsafeBytes(of: address.sun_path) { unsafe Array($0) }
      }
      let text = String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)
      return text.isEmpty ? nil : Address.unix(path: text).description
    default: return nil
    }
  }

  // SAFETY: the pointer is to this value's own storage and lives for the body's time.
  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    unsafe withUnsafePointer(to: storage) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
    }
  }

  /// SAFETY: every kind of address fits into the storage and may be read from its front.
  private func read<Kind, Result>(as kind: Kind.Type, _ body: (Kind) -> Result) -> Result {
    unsafe withUnsafeBytes(of: storage) { unsafe body($0.load(as: Kind.self)) }
  }

  /// SAFETY: as for reading.
  private static func write<Kind>(_ address: Kind, to storage: inout sockaddr_storage) -> socklen_t {
    unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: address, as: Kind.self) }
    return socklen_t(MemoryLayout<Kind>.size)
  }

  private static func write(v4 literal: PeerAddress, _ port: UInt16, to storage: inout sockaddr_storage) -> socklen_t {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(truncatingIfNeeded: literal.low).bigEndian
    return write(address, to: &storage)
  }

  private static func write(v6 literal: PeerAddress, _ port: UInt16, to storage: inout sockaddr_storage) -> socklen_t {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    // SAFETY: an in6_addr is 16 bytes.
    unsafe withUnsafeMutableBytes(of: &address.sin6_addr) {
      unsafe $0.storeBytes(of: literal.high.bigEndian, as: UInt64.self)
      unsafe $0.storeBytes(of: literal.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return write(address, to: &storage)
  }

  private static func write(path: String, to storage: inout sockaddr_storage) -> socklen_t? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    // One byte stays zero behind it.
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    // SAFETY: the path is shorter than the field.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    return write(address, to: &storage)
  }
}
