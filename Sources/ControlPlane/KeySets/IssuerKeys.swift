// The life of one issuer's key set as a state machine without I/O: times in, decisions out. The registry carries them
// out.
//
// Invariant: a failure never touches the set. Only a good load replaces it, and only the end of `stale` withdraws it.

internal import Configuration
internal import Proxy
internal import Tokens

/// What one load brought.
struct LoadedKeySet: Sendable {
  var keySet: KeySet
  /// The document itself, to see whether anything changed.
  var body: [UInt8]
  /// Where it came from: a URL or a path.
  var origin: String
  var cacheControl = CacheControl()
  /// Where discovery led. Kept for the refreshes that an unknown key id asks for.
  var discoveredURL: String?
  var fileSignature: FileSignature?
}

enum LoadResult: Sendable {
  case loaded(LoadedKeySet)
  /// The file is as it was.
  case unchanged
  /// - url: what was asked last.
  case failed(RefreshFailure, fileSignature: FileSignature? = nil, url: String? = nil)
}

/// The state of one issuer's keys. Times are durations since the clock's origin. Wall times are seconds since 1970.
struct IssuerKeys {
  /// What the registry has to do after an event.
  enum Change: Equatable {
    case none
    case published
    case withdrawn
  }

  enum Answer: Equatable {
    /// A load is due now and the caller may wait for it.
    case load
    /// One is under way already.
    case join
    case notNow
  }

  var issuer: Issuer
  private(set) var keySet: KeySet?
  private var body: [UInt8] = []
  private(set) var isLoading = false
  /// When the next load is due. Nil when there is none (inline, or one is under way).
  private(set) var nextLoad: Duration?
  /// When the keys are withdrawn, should no load go well before. Nil while all is well.
  private(set) var withdrawal: Duration?
  private var freshUntil: Duration = .zero
  private var unknownKeyBudget = LookBudget()
  private(set) var failureCount = 0
  private(set) var discoveredURL: String?
  private(set) var fileSignature: FileSignature?
  private(set) var lastFailure: RefreshFailure?
  /// By the clock that never jumps. The fetch of a stored set may lie before its origin.
  private(set) var lastSuccess: Duration?
  /// Wall times, for people and for the disk.
  private(set) var lastSuccessAt: Int64?
  private(set) var lastFailureAt: Int64?
  /// Loads by result: `success` and the failures' codes.
  var results: [String: UInt64] = [:]
  /// Whether the load under way, or due, was asked for by an unknown key id.
  private(set) var isOnDemand = false

  init(issuer: Issuer, now: Duration) {
    self.issuer = issuer
    nextLoad = now
  }

  /// When the registry has to look at this issuer again.
  var deadline: Duration? {
    switch (isLoading ? nil : nextLoad, keySet == nil ? nil : withdrawal) {
    case (let a?, let b?): min(a, b)
    case (let a, let b): a ?? b
    }
  }

  var isDue: Bool { !isLoading && nextLoad != nil }

  /// Starts a load when one is due. False when there is none.
  mutating func begin(now: Duration) -> Bool {
    guard !isLoading, let due = nextLoad, due <= now else { return false }
    isLoading = true
    nextLoad = nil
    return true
  }

  /// A token named a key that the set does not have (T21). Without any keys there is nothing to ask for sooner than the
  /// back-off allows (T64).
  mutating func metUnknownKey(now: Duration) -> Answer {
    if isLoading || isOnDemand { return .join }
    switch issuer.keys {
    case .inline, .absent: return .notNow
    case .file, .url, .discovery: break
    }
    guard keySet != nil else { return .notNow }
    guard unknownKeyBudget.take(at: now.wholeNanoseconds) else { return .notNow }
    nextLoad = now
    isOnDemand = true
    return .load
  }

  /// A load ended.
  mutating func finished(_ result: LoadResult, now: Duration, wallTime: Int64, random: Double) -> Change {
    isLoading = false
    let wasOnDemand = isOnDemand
    isOnDemand = false
    switch result {
    case .unchanged:
      if lastFailure == nil {
        lastSuccessAt = wallTime
        lastSuccess = now
        freshUntil = now
      }
      nextLoad = now + RefreshTiming.filePollInterval
      return .none
    case .loaded(let loaded):
      return succeeded(loaded, now: now, wallTime: wallTime, random: random)
    case .failed(let failure, let signature, _):
      fileSignature = signature
      failed(failure, wasOnDemand: wasOnDemand, now: now, wallTime: wallTime, random: random)
      return .none
    }
  }

  /// The load under way was broken off by ourselves: nothing is known, it is due again.
  mutating func abandoned(now: Duration) {
    isLoading = false
    isOnDemand = false
    nextLoad = now
  }

  private mutating func succeeded(
    _ loaded: LoadedKeySet, now: Duration, wallTime: Int64, random: Double
  ) -> Change {
    results["success", default: 0] += 1
    failureCount = 0
    lastFailure = nil
    lastSuccessAt = wallTime
    lastSuccess = now
    withdrawal = nil
    discoveredURL = loaded.discoveredURL
    fileSignature = loaded.fileSignature
    switch issuer.keys {
    case .inline, .absent: nextLoad = nil
    case .file:
      freshUntil = now
      nextLoad = now + RefreshTiming.filePollInterval
    case .url, .discovery:
      let lifetime = RefreshTiming.lifetime(loaded.cacheControl, refresh: issuer.refresh)
      freshUntil = now + lifetime
      nextLoad = now + RefreshTiming.jittered(lifetime, random: random)
    }
    // The same bytes mean the same keys: workers and their caches need not hear of it.
    if keySet != nil, body == loaded.body { return .none }
    keySet = loaded.keySet
    body = loaded.body
    return .published
  }

  private mutating func failed(
    _ failure: RefreshFailure, wasOnDemand: Bool, now: Duration, wallTime: Int64, random: Double
  ) {
    results[failure.code, default: 0] += 1
    // Requests must not be able to lengthen the back-off of a failing issuer.
    if !wasOnDemand || failureCount == 0 { failureCount += 1 }
    lastFailure = failure
    lastFailureAt = wallTime
    // Where discovery led may be what is wrong.
    discoveredURL = nil
    // Like stale-if-error (RFC 5861 §4): counted from the end of what the issuer had promised.
    if withdrawal == nil { withdrawal = freshUntil + issuer.stale }
    switch issuer.keys {
    case .inline, .absent: nextLoad = nil
    case .file: nextLoad = now + RefreshTiming.filePollInterval
    case .url, .discovery:
      let wait = RefreshTiming.backOff(
        failureCount: failureCount, refresh: issuer.refresh, hasKeys: keySet != nil, random: random)
      nextLoad = now + wait
    }
  }

  /// Takes the keys away when `stale` is over.
  mutating func expire(now: Duration) -> Change {
    guard keySet != nil, let withdrawal, withdrawal <= now else { return .none }
    keySet = nil
    body = []
    self.withdrawal = nil
    // A file that comes back as it was must count as new.
    fileSignature = nil
    // What was planned while there were keys may be far away.
    if let due = nextLoad { nextLoad = min(due, now + RefreshTiming.backOffFirst) }
    return .withdrawn
  }

  /// Takes over a set that an earlier process had stored. It is not fresh: it serves until `stale` after its fetch, and
  /// the first load stays due. False when it is too old (or from the future by more than a minute).
  mutating func adopt(_ stored: KeySet, body: [UInt8], fetchedAt: Int64, now: Duration, wallTime: Int64) -> Bool {
    let age = wallTime.subtractingReportingOverflow(fetchedAt)
    guard !age.overflow, age.partialValue >= -60 else { return false }
    let left = issuer.stale - .seconds(max(0, age.partialValue))
    guard left > .zero else { return false }
    keySet = stored
    self.body = body
    lastSuccessAt = fetchedAt
    lastSuccess = now - .seconds(age.partialValue)
    freshUntil = now
    withdrawal = now + left
    return true
  }

  /// Takes over what the same place said last, read again by the algorithms that a reload brought. Nobody is shut out
  /// until the first load, or while the issuer is down. False when there is nothing, or nothing that they can use. Keys
  /// that are on this machine are simply read again.
  mutating func adopt(from before: IssuerKeys, now: Duration, wallTime: Int64) -> Bool {
    switch issuer.keys {
    case .inline, .file, .absent: return false
    case .url, .discovery: break
    }
    guard before.keySet != nil, let fetchedAt = before.lastSuccessAt,
      let known = try? KeySet.parse(before.body.span, algorithms: issuer.policy.algorithms)
    else { return false }
    return adopt(known, body: before.body, fetchedAt: fetchedAt, now: now, wallTime: wallTime)
  }

  /// Takes over new times from a reload that left the source of the keys as it was (T72). An issuer that failed is
  /// asked at once, and as patiently as at the start: the operator may have mended what was wrong (T100).
  mutating func update(_ issuer: Issuer, now: Duration) {
    let isSooner = issuer.refresh < self.issuer.refresh
    self.issuer = issuer
    guard let due = nextLoad else { return }
    if isSooner { nextLoad = min(due, now + issuer.refresh) }
    if lastFailure != nil {
      nextLoad = min(due, now)
      failureCount = 0
    }
  }
}

extension Duration {
  /// Some 292 years at most.
  fileprivate var wholeNanoseconds: Int64 {
    let (whole, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : whole &+ components.attoseconds / 1_000_000_000
  }
}
