// Numbers for names, the same in every worker and across reloads: a route that keeps its name keeps its series,
// whatever its place in the file, and an exchange that began under the old configuration still counts for its own
// route.
//
// Invariant: an id once given stays with its name for the process's life. Later values know all names of earlier ones.

package import Configuration

/// What the indices of one configuration are called in metrics. Made with each snapshot, from the one before it.
package struct CounterNames: Sendable {
  /// Names by id: of this configuration and all before it.
  package private(set) var routes: [String] = []
  package private(set) var upstreams: [String] = []
  package private(set) var issuers: [String] = []
  package private(set) var listeners: [String] = []
  package private(set) var stores: [String] = []
  package private(set) var services: [String] = []
  /// Of operations of GraphQL that the file names.
  package private(set) var operations: [String] = []

  private var routeIDs: [Int] = []
  private var upstreamIDs: [Int] = []
  private var issuerIDs: [Int] = []
  private var listenerIDs: [Int] = []
  private var storeIDs: [Int] = []
  private var serviceIDs: [Int] = []

  /// - Parameter previous: the value of the snapshot that this one replaces.
  package init(_ configuration: GatewayConfiguration, after previous: CounterNames? = nil) {
    if let previous { self = previous }
    routeIDs = Self.intern(configuration.routes.map(\.name), into: &routes)
    upstreamIDs = Self.intern(configuration.upstreams.map(\.name), into: &upstreams)
    issuerIDs = Self.intern(configuration.issuers.map(\.name), into: &issuers)
    _ = Self.intern(configuration.routes.flatMap { $0.graphQL?.operationNames ?? [] }, into: &operations)
    storeIDs = Self.intern(configuration.stores.map(\.name), into: &stores)
    serviceIDs = Self.intern(configuration.services.map(\.name), into: &services)
    listenerIDs = Self.intern(configuration.listeners.map(\.counterName), into: &listeners)
  }

  /// Ids of this configuration's routes, upstreams, issuers, listeners, stores and services, by their index in it. Two
  /// routes of one name share an id and so a series.
  package func routeID(_ index: Int) -> Int { routeIDs[index] }
  package func upstreamID(_ index: Int) -> Int { upstreamIDs[index] }
  package func issuerID(_ index: Int) -> Int { issuerIDs[index] }
  package func storeID(_ index: Int) -> Int { storeIDs[index] }
  package func serviceID(_ index: Int) -> Int { serviceIDs[index] }
  package func listenerID(_ index: Int) -> Int { listenerIDs[index] }

  /// Nil for one that the file does not name.
  func operationID(_ name: String) -> Int? { operations.firstIndex(of: name) }

  private static func intern(_ names: [String], into known: inout [String]) -> [Int] {
    var ids: [String: Int] = [:]
    for (id, name) in known.enumerated() { ids[name] = id }
    return names.map { name in
      if let id = ids[name] { return id }
      ids[name] = known.count
      known.append(name)
      return known.count - 1
    }
  }
}

extension Listener {
  /// Listeners of one address, whose ports the system chooses, have a name each.
  fileprivate var counterName: String { ordinal == 0 ? address.description : "\(address) #\(ordinal + 1)" }
}
