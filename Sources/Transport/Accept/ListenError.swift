// An address that cannot be had, in words that name it.

package import Configuration
import NIOCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Nobody listens on an address of the configuration.
package struct ListenError: Error, CustomStringConvertible {
  package var address: Address
  package var reason: String

  init(_ address: Address, reason: String) {
    self.address = address
    self.reason = reason
  }

  package init(_ address: Address, _ error: any Error) {
    self.address = address
    reason =
      switch (error as? IOError)?.errnoCode {
      case EADDRINUSE: "the address is in use"
      case EADDRNOTAVAIL: "this machine has no such address"
      case EACCES: "a port below 1024 needs the right to it"
      default: "\(error)"
      }
  }

  package var description: String { "cannot listen on \(address): \(reason)" }
}
