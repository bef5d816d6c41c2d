// What this machine allows, compared with what the configuration requires. What does not fit is reduced, with a warning
// that says which number to write or to raise.

import Configuration
import Glibc
import NIOCore

struct MachineLimits: Sendable {
  /// What the process may have open.
  var descriptorCount: Int
  /// What it may use.
  var memoryByteCount: Int
  /// Cores of the machine: the control plane has an event loop for each.
  var coreCount: Int

  static var current: MachineLimits {
    let descriptorCount = sysconf(CInt(_SC_OPEN_MAX))
    return MachineLimits(
      descriptorCount: descriptorCount > 0 ? descriptorCount : 1 << 20, memoryByteCount: MemoryAllowance.byteCount,
      coreCount: System.coreCount)
  }

  /// Descriptors that clients and servers never get. Where there are few, they are not all for the reserve.
  func reservedDescriptorCount(_ configuration: GatewayConfiguration, workers: Int) -> Int {
    // Streams, logs, files that are read, fetches of keys, questions for names.
    let common = 48
    // An event loop has three. A worker has four, and one for each listener.
    let loops = coreCount * 3 + workers * (4 + configuration.listeners.count)
    return min(common + loops + adminConnectionsMax, descriptorCount / 4 * 3)
  }

  /// LIMIT: connections of the admin listener at one time.
  var adminConnectionsMax: Int { min(512, max(8, descriptorCount / 8)) }

  /// Sockets of clients and servers together.
  func socketsMax(_ configuration: GatewayConfiguration, workers: Int) -> Int {
    max(2, descriptorCount - reservedDescriptorCount(configuration, workers: workers))
  }

  /// The configuration as this machine can bear it.
  func fitted(_ configuration: GatewayConfiguration, workers: Int) -> (GatewayConfiguration, warnings: [String]) {
    var fitted = configuration
    var warnings: [String] = []
    // A request has a descriptor on each side.
    let reserve = reservedDescriptorCount(configuration, workers: workers)
    let connectionsMax = max(1, socketsMax(configuration, workers: workers) / 2)
    let wanted = configuration.limits.connections
    if wanted > connectionsMax {
      fitted.limits.connections = connectionsMax
      warnings.append(
        "'limits.connections' of \(wanted) requires \(wanted * 2 + reserve) descriptors and the process may have "
          + "\(descriptorCount), so \(connectionsMax) clients can connect at one time: raise the limit (ulimit -n, "
          + "LimitNOFILE, --ulimit nofile) or write connections: \(connectionsMax)")
    }
    let byteCount = tokenCacheByteCount(workers: workers)
    if let wanted = configuration.limits.tokenCache {
      if wanted > memoryByteCount / 2 / max(1, workers) {
        warnings.append(
          "'limits.token_cache' of \(Self.words(wanted)) in each of \(workers) workers does not fit the "
            + "\(Self.words(memoryByteCount)) of memory that the process may use: write \(Self.words(byteCount)) or less"
        )
      }
    } else {
      fitted.limits.tokenCache = byteCount
    }
    return (fitted, warnings)
  }

  /// Of each worker's remembered tokens, where the configuration does not say: an eighth of the memory for all of them.
  private func tokenCacheByteCount(workers: Int) -> Int {
    min(Limits.tokenCacheDefault, memoryByteCount / 8 / max(1, workers))
  }

  private static func words(_ byteCount: Int) -> String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where byteCount >= 2 * size {
      return "\(byteCount / size)\(unit)"
    }
    return "\(byteCount)B"
  }
}
