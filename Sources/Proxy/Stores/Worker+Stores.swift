// A worker's stores across configurations.

import Configuration

extension Worker {
  /// Those of a configuration, in its order. One that is the same goes on with its connections.
  func installStores(of snapshot: Snapshot) {
    var left = stores
    var begun: [Store] = []
    stores = snapshot.configuration.stores.enumerated().map { index, configuration in
      let isTracked =
        snapshot.sessions.contains { $0.store == index }
        || snapshot.configuration.apiKeys.contains { $0.store == index }
        || snapshot.configuration.issuers.contains { $0.revocation?.denylist == .redis(index) }
      if let kept = left.firstIndex(where: { $0.isKept(for: configuration, isTracked: isTracked) }) {
        let store = left.remove(at: kept)
        store.configure(configuration)
        return store
      }
      let store = Store(
        configuration, isTracked: isTracked, counterID: snapshot.counterNames.storeID(index), worker: self)
      begun.append(store)
      return store
    }
    for store in left { store.retire() }
    for store in begun { store.start() }
  }

  func tickStores() {
    for store in stores { store.tick() }
    if apiKeys.looks.isReviewDue(at: time.nanoseconds) { reviewStoredAPIKeys() }
  }

  /// A store of a request's configuration. Nil when a reload took it away.
  func store(at index: Int, of snapshot: Snapshot) -> Store? {
    if snapshot === self.snapshot { return stores.indices.contains(index) ? stores[index] : nil }
    let known = snapshot.configuration.stores
    guard known.indices.contains(index) else { return nil }
    return stores.first { $0.configuration.name == known[index].name }
  }

  package var storeStates: [StoreState] {
    stores.map { StoreState(name: $0.configuration.name, servers: $0.states) }
  }
}
