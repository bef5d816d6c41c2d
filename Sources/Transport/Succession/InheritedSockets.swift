// Listening sockets that the process was started with: from a service manager (the protocol of sd_listen_fds(3)), or
// from the process that it follows. Clients in their accept queues never notice that somebody else answers.

package import Configuration
import Glibc
import Synchronization

/// Descriptors that wait for a listener of the configuration. Each is taken once.
package final class InheritedSockets: Sendable {
  private struct Entry {
    /// Of whom it is: an address, or ``InheritedSockets/name(_:_:)``.
    let name: String
    let descriptor: Descriptor
  }

  private let entries: Mutex<[Entry]>

  package static var none: InheritedSockets { InheritedSockets([]) }

  private init(_ entries: [Entry]) { self.entries = Mutex(entries) }

  /// Those that a service manager passed, by the addresses that they have.
  package static func passed(_ numbers: Range<Int32>) throws(InheritanceError) -> InheritedSockets {
    var named: [(name: String, number: Int32)] = []
    for number in numbers {
      guard let name = Descriptor(number: number).localName() else { throw InheritanceError(number: number) }
      named.append((name, number))
    }
    return try handedOver(named)
  }

  /// What a socket is called from one process to the next: by what the configuration says of it, which may be port 0.
  package static func name(_ address: Address, _ role: String) -> String { "\(address)#\(role)" }

  /// Those that the process before this one passed.
  package static func handedOver(_ numbers: [(name: String, number: Int32)]) throws(InheritanceError)
    -> InheritedSockets
  {
    var entries: [Entry] = []
    for (name, number) in numbers {
      let descriptor = Descriptor(number: number)
      guard descriptor.isListening else { throw InheritanceError(number: number) }
      descriptor.becomeOurs()
      entries.append(Entry(name: name, descriptor: descriptor))
    }
    return InheritedSockets(entries)
  }

  /// The sockets of an address. They are the caller's from now on.
  /// - Parameter role: what distinguishes two on one address.
  func take(_ address: Address, _ role: String) -> [Descriptor] {
    let names = [address.description, Self.name(address, role)]
    return entries.withLock { entries in
      let taken = entries.filter { names.contains($0.name) }
      entries.removeAll { names.contains($0.name) }
      return taken.map(\.descriptor)
    }
  }

  /// One socket, for somebody who accepts without a worker.
  package func takeOne(_ address: Address, _ role: String) -> Int32? {
    let taken = take(address, role)
    for descriptor in taken.dropFirst() { descriptor.close() }
    return taken.first?.number
  }

  /// Closes what nobody has taken.
  /// - Returns: the addresses.
  package func closeRest() -> [String] {
    let rest = entries.withLock { entries in
      defer { entries = [] }
      return entries
    }
    for entry in rest { entry.descriptor.close() }
    return rest.map(\.name)
  }
}

/// A descriptor that was passed is not what it should be.
package struct InheritanceError: Error, CustomStringConvertible {
  package var number: Int32

  package var description: String { "descriptor \(number), which was passed, is not a listening socket" }
}

/// A socket that listens on an address without belonging to a worker. The caller closes it.
package func listeningDescriptor(on address: Address) throws(ListenError) -> Int32 {
  guard let target = SocketAddress(address) else {
    throw ListenError(address, reason: "it is not an address of this machine")
  }
  do throws(SystemError) {
    return try Descriptor.listening(on: target, isShared: false).number
  } catch {
    throw ListenError(address, code: error.code)
  }
}
