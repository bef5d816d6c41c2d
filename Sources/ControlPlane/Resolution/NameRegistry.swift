// The names of all upstreams' and stores' servers, looked up again as their answers run out. Nothing that a request
// does waits here.
//
// Invariant: a name that was resolved once never loses its addresses by a failure. Only other addresses replace them.

package import Configuration
package import Logging

/// Keeps the addresses of names. Each name has a task of its own, which ends with it.
package actor NameRegistry {
  private struct Entry {
    var ipv4: [String] = []
    var ipv6: [String] = []
    var isPending = true
    var isFailing = false
    var results: [String: UInt64] = [:]
    var task: Task<Void, Never>?

    var addresses: [String] { ipv4 + ipv6 }
  }

  /// The world as the registry sees it. Tests bring their own.
  package struct Environment: Sendable {
    package var resolve: @Sendable (_ name: String, _ servers: [Address]) async -> Resolution
    /// Comes back after that time, or when the task is cancelled.
    package var sleep: @Sendable (Duration) async -> Void
    /// A number in 0..<1.
    package var random: @Sendable () -> Double

    package init(
      resolve: @escaping @Sendable (_ name: String, _ servers: [Address]) async -> Resolution,
      sleep: @escaping @Sendable (Duration) async -> Void, random: @escaping @Sendable () -> Double
    ) {
      self.resolve = resolve
      self.sleep = sleep
      self.random = random
    }

    package static let live = Environment(
      resolve: { name, servers in await NameResolver(servers: servers).resolve(name) },
      sleep: { duration in try? await Task.sleep(for: duration) }, random: { Double.random(in: 0..<1) })
  }

  // LIMIT: how often a name is asked for, and how long an answer holds, whatever it says of itself.
  private static let secondsMin: UInt32 = 1
  private static let secondsMax: UInt32 = 300
  /// After failures: 1 s, 2 s, 4 s … and no longer than this, so that it heals soon.
  private static let retrySecondsMax = 10
  /// LIMIT: how long the start and a reload wait for names that are new.
  private static let patience = Duration.seconds(2)
  /// LIMIT: names that were added.
  private static let addedCountMax = 1024

  private let environment: Environment
  private let log: Logger
  private var servers: [Address] = []
  private var entries: [String: Entry] = [:]
  /// Names that are in no file: Redis calls its servers so.
  private var added: Set<String> = []
  private var waiters: [CheckedContinuation<Void, Never>] = []
  /// Says that ``addresses`` has changed.
  package nonisolated var changes: AsyncStream<Void> { change.calls }
  private let change = WakeUp()

  package init(environment: Environment = .live, log: Logger) {
    self.environment = environment
    self.log = log
  }

  deinit {
    for entry in entries.values { entry.task?.cancel() }
  }

  package var addresses: ResolvedNames { entries.compactMapValues { $0.addresses.isEmpty ? nil : $0.addresses } }

  /// Look-ups so far by name and outcome.
  package var results: [String: [String: UInt64]] { entries.mapValues(\.results) }

  /// Takes over a configuration's names. Those that are new are looked up before this returns, unless that takes long.
  package func apply(_ names: Set<String>, servers: [Address]) async -> ResolvedNames {
    let areServersOther = servers != self.servers
    self.servers = servers
    let names = names.union(added)
    for name in entries.keys where !names.contains(name) { entries.removeValue(forKey: name)?.task?.cancel() }
    for name in names where entries[name] == nil || areServersOther {
      var entry = entries[name] ?? Entry()
      entry.task?.cancel()
      entry.task = look(for: name, at: servers)
      entries[name] = entry
    }
    await waitForNames()
    return addresses
  }

  /// Takes a name besides those of configurations. Nobody waits for it.
  package func add(_ name: String) {
    guard !added.contains(name), added.count < Self.addedCountMax else { return }
    added.insert(name)
    if entries[name] != nil { return }
    entries[name] = Entry(isPending: false, task: look(for: name, at: servers))
  }

  private func look(for name: String, at servers: [Address]) -> Task<Void, Never> {
    Task { [weak self, environment] in
      var failureCount = 0
      while !Task.isCancelled {
        let resolution = await environment.resolve(name, servers)
        guard !Task.isCancelled, let pause = await self?.note(resolution, of: name, failureCount: failureCount) else {
          return
        }
        failureCount = pause.failureCount
        await environment.sleep(pause.time)
      }
    }
  }

  private func waitForNames() async {
    guard entries.values.contains(where: \.isPending) else { return }
    let timer = Task { [environment] in
      await environment.sleep(Self.patience)
      if !Task.isCancelled { endWait() }
    }
    await withCheckedContinuation { waiters.append($0) }
    timer.cancel()
  }

  private func endWait() {
    for waiter in waiters { waiter.resume() }
    waiters = []
  }

  /// - Returns: when to look again. Nil for a name that is not used any more.
  private func note(_ resolution: Resolution, of name: String, failureCount: Int) -> (
    time: Duration, failureCount: Int
  )? {
    guard var entry = entries[name] else { return nil }
    let before = entry.addresses
    var isFailure = resolution.ipv4 == .failed || resolution.ipv6 == .failed
    var found = entry
    // A family that nobody could say anything of stays as it was.
    if case .known(let addresses) = resolution.ipv4 { found.ipv4 = addresses }
    if case .known(let addresses) = resolution.ipv6 { found.ipv6 = addresses }
    if found.addresses.isEmpty { isFailure = true } else { entry = found }
    report(name, entry, before: before, isFailure: isFailure)
    entry.isFailing = isFailure
    entry.isPending = false
    entry.results[isFailure ? "failed" : "ok", default: 0] &+= 1
    entries[name] = entry
    if !entries.values.contains(where: \.isPending) { endWait() }
    if entry.addresses != before { change.ring() }
    let seconds =
      isFailure
      ? min(1 << min(failureCount, 10), Self.retrySecondsMax)
      : Int(min(max(resolution.seconds, Self.secondsMin), Self.secondsMax))
    // A little later than need be, so that not all gateways ask at once.
    let time = Duration.milliseconds(seconds * 1000 + Int(environment.random() * Double(seconds) * 100))
    return (time, isFailure ? failureCount + 1 : 0)
  }

  /// One line for each change.
  private func report(_ name: String, _ entry: Entry, before: [String], isFailure: Bool) {
    let addresses = entry.addresses
    if isFailure, !entry.isFailing {
      let kept = addresses.isEmpty ? "none" : addresses.joined(separator: ", ")
      log.warning("a name could not be resolved", metadata: ["name": "\(name)", "addresses": "\(kept)"])
    } else if !isFailure, entry.isFailing {
      log.notice("a name is resolved again", metadata: ["name": "\(name)"])
    }
    if addresses != before, !before.isEmpty {
      log.notice(
        "a name has other addresses",
        metadata: ["name": "\(name)", "addresses": "\(addresses.joined(separator: ", "))"])
    }
  }
}
