// All issuers' keys: carries out what their state machines decide, and reports every change to the workers.
//
// Invariants: nothing that a request does waits here but the one fetch that an unknown key id may ask for, and that is
// shared and rationed (T21, T26). A configuration that leaves an issuer as it was leaves its keys as they were (T72).

package import Configuration
package import Logging
package import Tokens

/// Loads, refreshes, keeps and withdraws key sets. ``run()`` must be running for anything to be fetched.
package actor KeySetRegistry {
  /// Called on every change with the issuer's index in the configuration applied last. Nil withdraws. Called on the
  /// actor, in order: it must only hand over.
  package typealias Publish = @Sendable (_ issuer: Int, _ keySet: KeySet?) -> Void

  private struct Entry {
    /// Stays the same as long as the issuer does. Its index in the configuration may not.
    let id: Int
    var keys: IssuerKeys
    var waiters: [(id: Int, continuation: CheckedContinuation<RefreshOutcome, Never>)] = []
  }

  private let environment: KeySetEnvironment
  private let loader: KeySetLoader
  private let store: KeySetStore?
  let log: Logger
  let notices: NoticeBoard?
  private let publish: Publish
  private var entries: [Entry] = []
  private var lastID = 0
  /// Why keys could not be stored the last time. Reported once, not at every refresh.
  private var storeFailure: FileError?
  private var isRunning = false
  private let wakeUp = WakeUp()
  /// The earliest of the timers under way.
  private var timer: Duration?

  package init(
    environment: KeySetEnvironment, stateDirectory: String? = nil, log: Logger, notices: NoticeBoard? = nil,
    publish: @escaping Publish
  ) {
    self.environment = environment
    loader = KeySetLoader(environment: environment)
    store = stateDirectory.map { KeySetStore(directory: $0, files: environment.files) }
    self.log = log
    self.notices = notices
    self.publish = publish
  }

  // MARK: What the rest of the control plane asks

  /// Takes over a configuration's issuers. Keys whose source and rules stayed the same are kept (T72). Inline and file
  /// keys, and stored ones, are there when this returns. The rest is fetched by ``run()``. Nothing is published by
  /// this.
  /// - Returns: the sets by index, as ``snapshot()``.
  @discardableResult
  package func apply(issuers: [Issuer]) -> [KeySet?] {
    let now = environment.now()
    var old = entries
    entries = issuers.map { issuer in
      if let index = old.firstIndex(where: { Self.isSameSource($0.keys.issuer, issuer) }) {
        var kept = old.remove(at: index)
        kept.keys.update(issuer, now: now)
        return kept
      }
      lastID += 1
      var entry = Entry(id: lastID, keys: IssuerKeys(issuer: issuer, now: now))
      let before = old.first { $0.keys.issuer.name == issuer.name }?.keys
      // Counters go on, whatever became of the source.
      if let before { entry.keys.results = before.results }
      if let before, Self.isSamePlace(before.issuer, issuer),
        entry.keys.adopt(from: before, now: now, wallTime: environment.wallTime())
      {
        return entry
      }
      start(&entry.keys, now: now)
      return entry
    }
    for entry in old { Self.answer(entry.waiters, .notNow) }
    wakeUp.ring()
    return snapshot()
  }

  /// The sets by the index of the issuer.
  package func snapshot() -> [KeySet?] { entries.map(\.keys.keySet) }

  /// The set of the issuer of that name.
  package func keySet(ofIssuer name: String) -> KeySet? { entries.first { $0.keys.issuer.name == name }?.keys.keySet }

  /// Asks the issuer of that name for newer keys, as often as it may be asked.
  package func requestRefresh(issuer name: String) async {
    guard let index = entries.firstIndex(where: { $0.keys.issuer.name == name }) else { return }
    _ = await requestRefresh(issuer: index)
  }

  /// Publishes every set once more. This is here and not with the holder of a ``snapshot()``. Between taking a snapshot
  /// and handing it on a load may end, and the older set would then arrive last and stay.
  package func publishAll() {
    for index in entries.indices { publish(index, entries[index].keys.keySet) }
  }

  /// Whether every issuer has keys.
  package var isReady: Bool { entries.allSatisfy { $0.keys.keySet != nil } }

  /// Asks the issuers that have no keys yet, and comes back when each of them has answered, or after `limit`: who opens
  /// the listeners then does not turn the first clients away. What is still under way goes on.
  package func askFirst(within limit: Duration) async {
    let flights = takeDue { $0.keySet == nil }
    let (answers, answer) = AsyncStream.makeStream(of: Void.self)
    for id in flights {
      Task {
        await load(id)
        answer.yield()
      }
    }
    if flights.isEmpty { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        var iterator = answers.makeAsyncIterator()
        for _ in flights { await iterator.next() }
      }
      group.addTask { [environment] in await environment.sleep(environment.now() + limit) }
      await group.next()
      group.cancelAll()
    }
  }

  /// A token named a key that the issuer's set does not have. A few fetches at most come of it (``LookBudget``).
  /// Callers who come while one is under way share it (T21). Comes back early when the caller's task is cancelled.
  package func requestRefresh(issuer index: Int) async -> RefreshOutcome {
    guard isRunning, entries.indices.contains(index) else { return .notNow }
    switch entries[index].keys.metUnknownKey(now: environment.now()) {
    case .notNow: return .notNow
    case .load: wakeUp.ring()
    case .join: break
    }
    let entryID = entries[index].id
    lastID += 1
    let waiterID = lastID
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        // The entry cannot have moved: nothing was awaited in between.
        if Task.isCancelled {
          continuation.resume(returning: .notNow)
        } else {
          entries[index].waiters.append((waiterID, continuation))
        }
      }
    } onCancel: {
      Task { await self.forget(waiterID, of: entryID) }
    }
  }

  /// Answers a worker about what this registry knows.
  package func answer(to question: Question) async -> Answer {
    switch question.source {
    case .keySet(let issuer):
      if case .refreshed = await requestRefresh(issuer: issuer) { return .keys(haveChanged: true) }
      return .keys(haveChanged: false)
    case .introspection, .statusList, .session, .apiKey: return .refused(question.source.refusalOfSilence)
    }
  }

  /// The status of every issuer, by index.
  package func status() -> [KeySetStatus] {
    let now = environment.now()
    return entries.map { entry in
      let keys = entry.keys
      return KeySetStatus(
        name: keys.issuer.name, source: keys.issuer.keys.shown, isReady: keys.keySet != nil,
        keyCount: keys.keySet?.keys.count ?? 0, droppedKeyCount: keys.keySet?.dropped.count ?? 0,
        ageSeconds: keys.lastSuccess.map { max(0, (now - $0).components.seconds) }, lastSuccessAt: keys.lastSuccessAt,
        lastFailureAt: keys.lastFailureAt, lastError: keys.lastFailure?.description, failureCount: keys.failureCount,
        nextRefreshInSeconds: keys.isLoading ? nil : keys.nextLoad.map { max(0, ($0 - now).components.seconds) },
        results: keys.results)
    }
  }

  // MARK: The loop

  /// Fetches what is due, until the task is cancelled.
  package func run() async {
    isRunning = true
    await withDiscardingTaskGroup { group in
      wakeUp.ring()
      for await _ in wakeUp.calls {
        for id in takeDue() { group.addTask { await self.load(id) } }
        guard let next = entries.compactMap(\.keys.deadline).min(), timer.map({ next < $0 }) ?? true else { continue }
        timer = next
        group.addTask {
          await self.environment.sleep(next)
          await self.timerEnded(next)
        }
      }
      group.cancelAll()
    }
    isRunning = false
    for index in entries.indices { settle(index, .notNow) }
  }

  /// Withdraws what is over, and starts the loads that are due: the caller has to carry them out with ``load(_:)``.
  func takeDue(where isMeant: (IssuerKeys) -> Bool = { _ in true }) -> [Int] {
    let now = environment.now()
    return entries.indices.compactMap { index in
      carryOut(entries[index].keys.expire(now: now), at: index)
      guard isMeant(entries[index].keys) else { return nil }
      return entries[index].keys.begin(now: now) ? entries[index].id : nil
    }
  }

  private func timerEnded(_ deadline: Duration) {
    if timer == deadline { timer = nil }
    wakeUp.ring()
  }

  /// One flight.
  func load(_ id: Int) async {
    guard let entry = entries.first(where: { $0.id == id }) else { return }
    let keys = entry.keys
    let result = await loader.load(
      keys.issuer, knownURL: keys.isOnDemand ? keys.discoveredURL : nil, signature: keys.fileSignature)
    // A reload may have moved or removed the issuer meanwhile.
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    if case .failed(.fetch(.cancelled), _, _) = result {
      // We are stopping: that is nobody's failure.
      entries[index].keys.abandoned(now: environment.now())
      return settle(index, .notNow)
    }
    let wallTime = environment.wallTime()
    let before = entries[index].keys
    let change = entries[index].keys.finished(
      result, now: environment.now(), wallTime: wallTime, random: environment.random())
    carryOut(change, at: index)
    report(result, before: before, after: entries[index].keys)
    switch result {
    case .loaded(let loaded):
      settle(index, .refreshed)
      save(loaded, of: keys.issuer, wallTime: wallTime)
    case .unchanged: settle(index, .notNow)
    case .failed(let failure, _, _): settle(index, .failed(failure))
    }
    wakeUp.ring()
  }

  /// The first moments of an issuer: what is available without waiting.
  private func start(_ keys: inout IssuerKeys, now: Duration) {
    let wallTime = environment.wallTime()
    if let result = loader.loadNow(keys.issuer) {
      let before = keys
      _ = keys.finished(result, now: now, wallTime: wallTime, random: environment.random())
      report(result, before: before, after: keys)
      return
    }
    guard let store else { return }
    do throws(FileError) {
      guard let stored = try store.read(keys.issuer) else { return }
      let isAdopted = keys.adopt(
        stored.keySet, body: stored.body, fetchedAt: stored.fetchedAt, now: now, wallTime: wallTime)
      log.notice(
        isAdopted ? "serving stored keys until the issuer answers" : "the stored keys are too old",
        metadata: ["issuer": "\(keys.issuer.name)", "keys": "\(stored.keySet.keys.count)"])
    } catch {
      log.warning(
        "the stored keys cannot be used",
        metadata: ["issuer": "\(keys.issuer.name)", "reason": "\(error.reason)"])
    }
  }

  private func carryOut(_ change: IssuerKeys.Change, at index: Int) {
    switch change {
    case .none: break
    case .published: publish(index, entries[index].keys.keySet)
    case .withdrawn:
      log.error(
        "keys withdrawn: the issuer was down for longer than `stale`",
        metadata: ["issuer": "\(entries[index].keys.issuer.name)"])
      publish(index, nil)
    }
  }

  private func save(_ loaded: LoadedKeySet, of issuer: Issuer, wallTime: Int64) {
    do throws(FileError) {
      try store?.write(loaded.body, of: issuer, origin: loaded.origin, fetchedAt: wallTime)
      storeFailure = nil
    } catch {
      if storeFailure == error { return }
      storeFailure = error
      log.warning(
        "the keys cannot be stored",
        metadata: [
          "issuer": "\(issuer.name)", "folder": "\(store?.directory ?? "")", "reason": "\(error.reason)",
        ])
    }
  }

  // MARK: Waiters

  /// Callers that wait for a flight.
  var waiterCount: Int { entries.reduce(0) { $0 + $1.waiters.count } }

  private func settle(_ index: Int, _ outcome: RefreshOutcome) {
    let waiters = entries[index].waiters
    entries[index].waiters = []
    Self.answer(waiters, outcome)
  }

  private static func answer(
    _ waiters: [(id: Int, continuation: CheckedContinuation<RefreshOutcome, Never>)], _ outcome: RefreshOutcome
  ) {
    for waiter in waiters { waiter.continuation.resume(returning: outcome) }
  }

  private func forget(_ waiterID: Int, of entryID: Int) {
    guard let index = entries.firstIndex(where: { $0.id == entryID }),
      let position = entries[index].waiters.firstIndex(where: { $0.id == waiterID })
    else { return }
    entries[index].waiters.remove(at: position).continuation.resume(returning: .notNow)
  }

  // MARK: Sameness

  /// Whether the keys of the one would be those of the other. Audiences, claims and times may differ.
  private static func isSameSource(_ a: Issuer, _ b: Issuer) -> Bool {
    isSamePlace(a, b) && a.policy.algorithms == b.policy.algorithms
  }

  /// Whether both ask the same place and trust it alike, whichever of its keys they may then use.
  private static func isSamePlace(_ a: Issuer, _ b: Issuer) -> Bool {
    a.name == b.name && a.keys == b.keys && a.certificateAuthority == b.certificateAuthority
      && a.tokenFile == b.tokenFile
      && a.isInsecureAllowed == b.isInsecureAllowed && a.policy.issuer == b.policy.issuer
  }
}
