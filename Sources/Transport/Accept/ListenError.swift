// Why an address cannot be listened on, in words that name it.

package import Configuration
import Glibc

/// Nobody listens on an address of the configuration.
package struct ListenError: Error, CustomStringConvertible {
  package var address: Address
  package var reason: String

  package init(_ address: Address, reason: String) {
    self.address = address
    self.reason = reason
  }

  /// - Parameter code: the system's error number.
  package init(_ address: Address, code: Int32) {
    self.address = address
    reason =
      switch code {
      case EADDRINUSE: "the address is in use"
      case EADDRNOTAVAIL: "this machine has no such address"
      case EACCES:
        "a port below 1024 requires a privilege: setcap cap_net_bind_service=+ep on the program, or "
          + "AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit"
      default: SystemError(code: code).description
      }
  }

  package var description: String { "cannot listen on \(address): \(reason)" }
}
