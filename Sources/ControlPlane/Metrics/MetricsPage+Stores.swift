// The part of the page about stores and sessions.

import Proxy

extension MetricsPage {
  func writeStores(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.storeUp)
    for store in stores {
      for server in store.servers {
        writer.sample([("store", store.name), ("server", server.address)], gauge: server.isUp ? 1 : 0)
      }
    }
    writer.family(.storeActive)
    for store in stores {
      writer.sample([("store", store.name)], gauge: store.servers.reduce(0) { $0 + $1.pendingCount })
    }
    writer.family(.storeCommands)
    for (id, failure, count) in counters.storeCommandCounts where names.stores.indices.contains(id) {
      writer.sample([("store", names.stores[id]), ("result", failure?.label ?? "ok")], count)
    }
    writer.family(.storeUnreadable)
    for (id, count) in counters.unreadableCounts where names.stores.indices.contains(id) {
      writer.sample([("store", names.stores[id])], count)
    }
    writeHistograms(.storeDuration, counters.storeDurations, label: "store", names: names.stores, to: &writer)
    writer.family(.sessions)
    for (name, count) in sessions { writer.sample([("session", name)], gauge: count) }
    writer.family(.apiKeys)
    for (name, count) in apiKeys { writer.sample([("set", name)], gauge: count) }
  }
}

extension StoreFailure {
  fileprivate var label: String {
    switch self {
    case .unavailable: "unavailable"
    case .late: "late"
    case .lost: "lost"
    case .refused: "refused"
    }
  }
}

extension StoreState {
  /// What all workers together have to do with each store. A server is up where it is for all that know it.
  static func merged(_ workers: [[StoreState]]) -> [StoreState] {
    var result: [StoreState] = []
    for state in workers.joined() {
      guard let index = result.firstIndex(where: { $0.name == state.name }) else {
        result.append(state)
        continue
      }
      for server in state.servers {
        if let known = result[index].servers.firstIndex(where: { $0.address == server.address }) {
          result[index].servers[known].isUp = result[index].servers[known].isUp && server.isUp
          result[index].servers[known].pendingCount += server.pendingCount
        } else {
          result[index].servers.append(server)
        }
      }
    }
    return result
  }
}
