// The lists of revoked tokens of all issuers: looks at them in the background, and reports every change to the workers.
//
// Invariant: nothing that a request does waits here but for a status list that is not known yet, and that wait is
// shared and ends. A list that cannot be renewed goes on counting until `stale` (T103).

internal import Configuration
internal import Logging
internal import Proxy
internal import Tokens

/// ``run()`` must be running for anything to be renewed.
actor RevocationRegistry {
  /// Called on every change with the issuer's index in the configuration that was applied last. Called on the actor, in
  /// order: it must only hand over.
  typealias Publish = @Sendable (_ issuer: Int, Revocations) -> Void

  struct Entry {
    /// Stays the same as long as the issuer does. Its index in the configuration may not.
    let id: Int
    var issuer: Issuer
    /// With ``Revocation/Source/redis(_:)``: the store's name, and the key of the stream.
    var stream: (store: String, key: [UInt8])?
    var denylist = ListState<Denylist>(nextLook: .zero)
    var mark = DenylistMark()
    var statusLists: [StatusListEntry] = []
    /// Looks at status lists that are held no more.
    var goneResults: [String: UInt64] = [:]
    /// When what is on disk was last known to be the newest.
    var storedAt: Int64 = 0
    /// The stream has changed since the last look began, or may have.
    var isChanged = false
    /// When that was.
    var lookedAt = Duration.zero

    var rules: Revocation { issuer.revocation ?? Revocation() }
  }

  struct StatusListEntry {
    let uri: [UInt8]
    var state: ListState<StatusList>
    /// The look under way, for those who wait for it.
    var flight: Task<Void, Never>?
  }

  let environment: RevocationEnvironment
  private let denylists: DenylistLoader
  private let lists: StatusListLoader
  let store: RevocationStore?
  let log: Logger
  let notices: NoticeBoard?
  private let publish: Publish
  var entries: [Entry] = []
  /// The issuers of the configuration, by index.
  private var order: [String] = []
  private var lastID = 0
  let wakeUp = WakeUp()
  /// Rings when the next look is due.
  var timer: Task<Void, Never>?

  /// LIMIT: status lists of one issuer, and the bytes of their statuses. The one that was named first makes room.
  static let statusListCountMax = 128
  static let statusByteCountMax = 64 << 20

  init(
    environment: RevocationEnvironment, stateDirectory: String? = nil, log: Logger, notices: NoticeBoard? = nil,
    publish: @escaping Publish
  ) {
    self.environment = environment
    denylists = DenylistLoader(environment: environment)
    lists = StatusListLoader(environment: environment)
    store = stateDirectory.map { RevocationStore(directory: $0, files: environment.files) }
    self.log = log
    self.notices = notices
    self.publish = publish
  }

  // MARK: What the rest of the control plane asks

  /// Takes over a configuration's issuers. Lists whose source stayed the same are kept. Those in files are there when
  /// this returns, and those on disk. Nothing is published by this.
  /// - Returns: by issuer, nil where it has no `revocation`.
  @discardableResult
  func apply(_ configuration: GatewayConfiguration) -> [Revocations?] {
    var old = entries
    entries = []
    for issuer in configuration.issuers where issuer.revocation != nil {
      var stream: (store: String, key: [UInt8])?
      if case .redis(let index) = issuer.revocation?.denylist, configuration.stores.indices.contains(index) {
        let place = configuration.stores[index]
        stream = (place.name, Revocation.streamKey(ofIssuer: issuer.name, in: place))
      }
      if let index = old.firstIndex(where: { Self.isSameSource($0.issuer, issuer) && $0.stream?.store == stream?.store }
      ) {
        var kept = old.remove(at: index)
        (kept.issuer, kept.stream) = (issuer, stream)
        entries.append(kept)
      } else {
        lastID += 1
        var entry = Entry(id: lastID, issuer: issuer, stream: stream)
        start(&entry)
        entries.append(entry)
      }
    }
    wakeUp.ring()
    order = configuration.issuers.map(\.name)
    return snapshot()
  }

  /// By issuer, nil where it has no `revocation`.
  func snapshot() -> [Revocations?] {
    order.map { name in entries.first { $0.issuer.name == name }.map(known) }
  }

  /// Whether the lists of the one are those of the other.
  private static func isSameSource(_ a: Issuer, _ b: Issuer) -> Bool {
    a.name == b.name && a.policy.issuer == b.policy.issuer && a.policy.algorithms == b.policy.algorithms
      && a.revocation?.denylist == b.revocation?.denylist && a.certificateAuthority == b.certificateAuthority
      && a.isInsecureAllowed == b.isInsecureAllowed && a.keys == b.keys
      && a.revocation?.statusListHosts == b.revocation?.statusListHosts
  }

  /// Publishes all once more: a change between ``apply(_:)`` and the workers' taking over went to nobody.
  func publishAll() { for index in entries.indices { publish(entries[index]) } }

  /// Looks at the denylists that are elsewhere, and comes back when each look is over, or after `limit`: who opens the
  /// listeners then does not turn the first clients away.
  func lookFirst(within limit: Duration) async {
    let due = entries.filter { $0.rules.denylist != nil && $0.denylist.list == nil }.map(\.id)
    if due.isEmpty { return }
    // What is under way after `limit` goes on.
    let looks = due.map { id in Task { await self.lookAtDenylist(of: id) } }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for look in looks { await look.value } }
      group.addTask { [environment] in await environment.sleep(limit) }
      await group.next()
      group.cancelAll()
    }
  }

  /// A token names a status list that its worker does not have.
  func answer(to question: Question, about uri: [UInt8]) async -> Answer {
    guard let issuer = question.source.issuer, order.indices.contains(issuer),
      let index = entries.firstIndex(where: { $0.issuer.name == order[issuer] })
    else { return .refused(.revocationUnavailable) }
    let id = entries[index].id
    let place = self.place(ofList: uri, in: index)
    let state = entries[index].statusLists[place]
    if let flight = state.flight {
      await flight.value
    } else if current(state.state, of: entries[index]) == nil, state.state.isDue(at: environment.now()) {
      _ = await begin(uri, of: id)?.value
    }
    return .statusList
  }

  // MARK: Denylists

  func lookAtDenylist(of id: Int) async {
    guard let index = entries.firstIndex(where: { $0.id == id }), !entries[index].denylist.isLooking else { return }
    entries[index].denylist.isLooking = true
    entries[index].isChanged = false
    entries[index].lookedAt = environment.now()
    let entry = entries[index]
    let result: DenylistResult
    switch entry.rules.denylist {
    case .file(let path): result = denylists.load(file: path, entry.mark)
    case .url(let url): result = await denylists.load(url: url, entry.issuer, entry.mark)
    case .redis:
      guard let place = entry.stream else { return }
      let stream = WatchedStream(store: place.store, key: place.key) { Task { await self.streamChanged(id) } }
      result = await DenylistStreamReader(environment: environment, stream: stream).load(
        entry.mark, entry.denylist.list)
    case nil: return
    }
    // A reload may have moved or removed the issuer meanwhile.
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    entries[index].denylist.isLooking = false
    take(result, at: index)
  }

  private func take(_ result: DenylistResult, at index: Int) {
    let before = entries[index].denylist
    let (now, wallTime) = (environment.now(), environment.wallTime())
    let isFetched = if case .url = entries[index].rules.denylist { true } else { false }
    let next = entries[index].nextLook(after: now)
    switch result {
    // We are stopping: that is nobody's failure.
    case .failed(.fetch(.cancelled), _, _): return
    case .unchanged:
      // A file with a mistake is not good again because it stays as it is.
      if before.failure != nil, !isFetched {
        entries[index].denylist.nextLook = next
        break
      }
      entries[index].denylist.confirmed(now: now, next: next)
      if isFetched { keepStored(index, wallTime: wallTime) }
    case .loaded(let list, let mark, let body):
      entries[index].mark = mark
      entries[index].denylist.succeeded(list, now: now, next: next)
      if isFetched { save(body, mark.version, index, wallTime: wallTime) }
    case .failed(let failure, let mark, let list):
      entries[index].mark = mark
      if let list { entries[index].denylist.replace(list) }
      entries[index].denylist.failed(failure, now: now, pause: .zero)
      // A file that is mended is seen at once, and a stream is read on. A store that is down is asked once a second.
      if !isFetched { entries[index].denylist.nextLook = failure == .storeUnavailable ? now + .seconds(1) : next }
    }
    defer { setTimer() }
    report(before: before, index)
    let counts = entries[index].denylist.current(stale: entries[index].rules.stale, now: now) != nil
    let isNew: Bool =
      switch result {
      case .loaded: true
      case .failed(_, _, let list): list != nil
      case .unchanged: counts != before.didCount
      }
    entries[index].denylist.didCount = counts
    if isNew { publish(entries[index]) }
  }

  /// The first moments of an issuer: what is available without waiting.
  private func start(_ entry: inout Entry) {
    let (now, wallTime) = (environment.now(), environment.wallTime())
    entry.denylist.nextLook = now
    switch entry.rules.denylist {
    case .file(let path):
      let before = entry.denylist
      switch denylists.load(file: path, DenylistMark()) {
      case .loaded(let list, let mark, _):
        entry.mark = mark
        entry.denylist.succeeded(list, now: now, next: now)
      case .failed(let failure, let mark, _):
        entry.mark = mark
        entry.denylist.failed(failure, now: now, pause: .zero)
        entry.denylist.nextLook = now
      case .unchanged: break
      }
      report(before: before, entry)
    case .url(let url): adoptStored(url, &entry, now: now, wallTime: wallTime)
    case .redis, nil: break
    }
    entry.denylist.didCount = entry.denylist.current(stale: entry.rules.stale, now: now) != nil
  }

  // MARK: Status lists

  /// Where the list is among those of the issuer, after it was made there if need be.
  private func place(ofList uri: [UInt8], in index: Int) -> Int {
    if let known = entries[index].statusLists.firstIndex(where: { $0.uri == uri }) { return known }
    if entries[index].statusLists.count >= Self.statusListCountMax { drop(0, of: index) }
    entries[index].statusLists.append(StatusListEntry(uri: uri, state: ListState(nextLook: environment.now())))
    return entries[index].statusLists.count - 1
  }

  private func drop(_ place: Int, of index: Int) {
    let gone = entries[index].statusLists.remove(at: place)
    entries[index].goneResults.merge(gone.state.results) { $0 &+ $1 }
  }

  func begin(_ uri: [UInt8], of id: Int) -> Task<Void, Never>? {
    guard let (index, place) = find(uri, of: id) else { return nil }
    let flight = Task { await self.lookAtList(uri, of: id) }
    entries[index].statusLists[place].flight = flight
    return flight
  }

  private func find(_ uri: [UInt8], of id: Int) -> (Int, Int)? {
    guard let index = entries.firstIndex(where: { $0.id == id }),
      let place = entries[index].statusLists.firstIndex(where: { $0.uri == uri })
    else { return nil }
    return (index, place)
  }

  private func lookAtList(_ uri: [UInt8], of id: Int) async {
    guard let (index, place) = find(uri, of: id) else { return }
    let issuer = entries[index].issuer
    if entries[index].statusLists[place].state.list == nil { await adoptStored(uri, issuer, of: id) }
    let result = await lists.load(uri, of: issuer)
    guard let (index, place) = find(uri, of: id) else { return }
    entries[index].statusLists[place].flight = nil
    take(result, index, place)
  }

  private func take(_ result: Result<LoadedStatusList, RevocationFailure>, _ index: Int, _ place: Int) {
    let before = entries[index].statusLists[place].state
    let (now, wallTime) = (environment.now(), environment.wallTime())
    let rules = entries[index].rules
    switch result {
    case .success(let loaded) where isTooLarge(loaded.list, index, place):
      entries[index].statusLists[place].state.failed(.tooMany, now: now, pause: rules.refresh)
    case .success(let loaded):
      // LIMIT: what an issuer says of its list counts between a second and a day.
      let pause = loaded.ttlSeconds.map { Duration.seconds(min(max($0, 1), 86_400)) } ?? rules.refresh
      entries[index].statusLists[place].state.succeeded(
        loaded.list, now: now, next: now + pause)
      save(loaded.token, loaded.list.uri, entries[index].issuer, wallTime: wallTime)
    case .failure(let failure):
      entries[index].statusLists[place].state.failed(failure, now: now, pause: .zero)
    }
    report(before: before, index, list: place)
    let state = entries[index].statusLists[place].state
    entries[index].statusLists[place].state.didCount = current(state, of: entries[index]) != nil
    // A list that was never there, or not for long, is asked for again when a token names it.
    if current(state, of: entries[index]) == nil, state.failureCount > 10 { drop(place, of: index) }
    if case .success = result { publish(entries[index]) }
    setTimer()
  }

  private func isTooLarge(_ list: StatusList, _ index: Int, _ place: Int) -> Bool {
    var byteCount = list.byteCount
    for other in entries[index].statusLists.indices where other != place {
      byteCount += entries[index].statusLists[other].state.list?.byteCount ?? 0
    }
    return byteCount > Self.statusByteCountMax
  }

  /// A list that an earlier process has left. It serves while it is fetched.
  private func adoptStored(_ uri: [UInt8], _ issuer: Issuer, of id: Int) async {
    guard let stored = storedList(uri, issuer),
      case .success(let loaded) = await lists.read(stored.body, uri, of: issuer), let (index, place) = find(uri, of: id)
    else { return }
    entries[index].statusLists[place].state.adopt(
      loaded.list, fetchedAt: stored.fetchedAt, now: environment.now(), wallTime: environment.wallTime())
    publish(entries[index])
  }

  func current(_ state: ListState<StatusList>, of entry: Entry) -> StatusList? {
    guard let list = state.current(stale: entry.rules.stale, now: environment.now()),
      environment.wallTime() < list.expiresAt
    else { return nil }
    return list
  }

  // MARK: To the workers

  private func known(_ entry: Entry) -> Revocations {
    Revocations(
      entry.rules.rules, denylist: entry.denylist.current(stale: entry.rules.stale, now: environment.now()),
      statusLists: entry.statusLists.compactMap { current($0.state, of: entry) })
  }

  func publish(_ entry: Entry) {
    guard let issuer = order.firstIndex(of: entry.issuer.name) else { return }
    publish(issuer, known(entry))
  }
}
