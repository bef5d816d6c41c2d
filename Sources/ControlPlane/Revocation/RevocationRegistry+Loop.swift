// When lists are looked at: when a look is due, and when a store reports that a stream has changed.

internal import Configuration
internal import Logging
internal import Tokens

extension RevocationRegistry {
  /// How often it is looked for lists that are too old.
  private static let interval = Duration.seconds(1)
  /// LIMIT: how soon after the last look a list that has changed is looked at, so that a storm of revocations leaves
  /// the cores to requests.
  fileprivate static let pause = Duration.milliseconds(50)

  /// Until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await _ in wakeUp.calls where !entries.isEmpty {
        lookAfterAll(&group)
        setTimer()
      }
      group.cancelAll()
    }
    timer?.cancel()
  }

  /// Wakes the loop when something is due. Nothing is while there are no lists.
  func setTimer() {
    timer?.cancel()
    timer = nil
    if entries.isEmpty { return }
    let now = environment.now()
    var next = now + Self.interval
    for entry in entries {
      if entry.rules.denylist != nil, !entry.denylist.isLooking { next = min(next, entry.denylist.nextLook) }
      for list in entry.statusLists where list.flight == nil { next = min(next, list.state.nextLook) }
    }
    let wait = max(next - now, .milliseconds(10))
    timer = Task { [environment, wakeUp] in
      await environment.sleep(wait)
      if !Task.isCancelled { wakeUp.ring() }
    }
  }

  /// A store reports that a denylist has changed there, or may have.
  func streamChanged(_ id: Int) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    entries[index].isChanged = true
    // Who looks at this moment sees to it afterwards. A store that is down is not asked more often by this.
    if entries[index].denylist.isLooking || entries[index].denylist.failure == .storeUnavailable { return }
    entries[index].denylist.nextLook = max(environment.now(), entries[index].lookedAt + Self.pause)
    wakeUp.ring()
  }

  private func lookAfterAll(_ group: inout DiscardingTaskGroup) {
    let now = environment.now()
    for index in entries.indices {
      withdraw(index, now: now)
      let id = entries[index].id
      if entries[index].rules.denylist != nil, entries[index].denylist.isDue(at: now) {
        group.addTask { await self.lookAtDenylist(of: id) }
      }
      for list in entries[index].statusLists where list.flight == nil && list.state.isDue(at: now) {
        _ = begin(list.uri, of: id)
      }
    }
  }

  /// Whether something has counted until now, and does no more.
  private func withdraw(_ index: Int, now: Duration) {
    let entry = entries[index]
    var isChanged = false
    let counts = entry.denylist.current(stale: entry.rules.stale, now: now) != nil
    if entry.denylist.didCount, !counts {
      isChanged = true
      log.error(
        "a denylist was withdrawn: it could not be renewed for longer than `stale`",
        metadata: ["issuer": "\(entry.issuer.name)", "unavailable": "\(entry.rules.unavailable.rawValue)"])
    }
    entries[index].denylist.didCount = counts
    for place in entry.statusLists.indices {
      let counts = current(entry.statusLists[place].state, of: entry) != nil
      isChanged = isChanged || entry.statusLists[place].state.didCount && !counts
      entries[index].statusLists[place].state.didCount = counts
    }
    if isChanged { publish(entries[index]) }
  }
}

extension RevocationRegistry.Entry {
  /// How often a file is looked at, and a stream in case that its store reports no changes.
  private static let fileInterval = Duration.milliseconds(200)
  private static let streamInterval = Duration.seconds(1)

  /// When a denylist is looked at next after a look that was good.
  func nextLook(after now: Duration) -> Duration {
    switch rules.denylist {
    case .url: now + rules.refresh
    case .redis: isChanged ? now + RevocationRegistry.pause : now + Self.streamInterval
    case .file, nil: now + Self.fileInterval
    }
  }
}
