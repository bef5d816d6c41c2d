// API keys that are in a store: what a worker has asked of it, and what it does when the store reports that a key has
// changed. It is as with sessions: what is remembered is forgotten at once, and what is under way goes on until the
// store says that the key is gone.

import Bytes
import Configuration
import Cryptography
import Redis
import Tokens

/// One key that is looked for.
final class APIKeyLook: StoreAsker {
  /// Nil where no request waits, and only what is under way depends on it.
  let question: Question?
  /// Of the key.
  let digest: [UInt8]
  /// What the client says that the key's id is. Nil where it does not say.
  private let id: [UInt8]?
  private let set: APIKeySet
  let store: Store
  /// The key has changed since the store was asked, or may have.
  var isDoubted = false

  init(_ question: Question?, of digest: [UInt8], id: [UInt8]?, in set: APIKeySet, at store: Store) {
    self.question = question
    self.digest = digest
    self.id = id
    self.set = set
    self.store = store
  }

  /// - Returns: false where nobody would answer.
  func begin() -> Bool {
    let key = APIKeyStoreKey.of(digest, set: set.name, prefix: store.prefix)
    var command = ByteQueue()
    command.beginCommand(partCount: 2)
    command.append(part: "GET")
    command.append(part: key.span)
    return store.ask(command.span, about: key.span, for: self, isTracked: true) != nil
  }

  func storeAnswered(_ ticket: StoreTicket, _ reply: borrowing Reply) {
    store.worker.concluded(self, finding(in: reply))
  }

  func storeFailed(_ ticket: StoreTicket, _ failure: StoreFailure) {
    store.worker.concluded(self, .refused(.apiKeyStoreUnavailable))
  }

  private func finding(in reply: borrowing Reply) -> Answer {
    switch reply.kind(reply.root) {
    case .null: return .refused(.apiKeyInvalid)
    case .text: break
    case .error where !reply.text(reply.root).text().hasPrefix("WRONGTYPE"): return .refused(.apiKeyStoreUnavailable)
    default: return unreadable
    }
    let now = store.worker.time.unixSeconds
    // What a name says is compared each time.
    let freshSeconds = isDoubted || id != nil ? 0 : set.cache.nanoseconds / 1_000_000_000
    guard let record = APIKeyRecord(reply.text(reply.root), of: digest, freshUntil: now + freshSeconds) else {
      return unreadable
    }
    if let id, id != record.id { return .refused(.apiKeyInvalid) }
    return .apiKey(record)
  }

  private var unreadable: Answer {
    store.report(.unreadable, of: store.main)
    return .refused(.apiKeyInvalid)
  }
}

/// What a worker has of API keys.
struct WorkerAPIKeys {
  /// Of the request that is looked at.
  var check = APIKeyCheck()
  /// Those that are in a store.
  var looks = APIKeyLooks()
}

/// What a worker looks for, and what it has to look for again.
struct APIKeyLooks {
  private struct Name: Hashable {
    let digest: [UInt8]

    func hash(into hasher: inout Hasher) { hasher.combine(digest: digest) }
  }

  /// By digest.
  private var underWay: [Name: [APIKeyLook]] = [:]
  private(set) var count = 0
  /// Keys whose streams and tunnels may have no right to go on.
  private var doubted: Set<[UInt8]> = []
  /// By the names of stores, all of whose keys are doubted.
  private var doubtedStores: Set<String> = []
  /// In steady nanoseconds, when those are looked for. Max where none is.
  private var reviewAt = Int64.max

  /// LIMIT: so many keys are looked for at one time, so that a storm of made-up keys leaves the store to others.
  static let countMax = 256
  /// LIMIT: a store that does not answer is asked again once a second.
  private static let retryNanoseconds: Int64 = 1_000_000_000

  /// - Returns: false where nobody would answer.
  mutating func begin(_ look: APIKeyLook) -> Bool {
    guard count < Self.countMax, look.begin() else { return false }
    count += 1
    underWay[Name(digest: look.digest), default: []].append(look)
    return true
  }

  mutating func end(_ look: APIKeyLook) {
    guard let index = underWay.index(forKey: Name(digest: look.digest)) else { return }
    count -= 1
    underWay.values[index].removeAll { $0 === look }
    if underWay.values[index].isEmpty { underWay.remove(at: index) }
  }

  mutating func doubt(_ digest: [UInt8]) {
    for look in underWay[Name(digest: digest)] ?? [] { look.isDoubted = true }
    doubted.insert(digest)
    reviewAt = .min
  }

  /// All of one store.
  mutating func doubt(_ store: Store) {
    for look in underWay.values.joined() where look.store === store { look.isDoubted = true }
    doubtedStores.insert(store.configuration.name)
    reviewAt = .min
  }

  mutating func doubtLater(_ digest: [UInt8], at now: Int64) {
    doubted.insert(digest)
    reviewAt = min(reviewAt, now &+ Self.retryNanoseconds)
  }

  func isReviewDue(at now: Int64) -> Bool { now >= reviewAt }

  /// Takes what is doubted. Nothing is, until something else is reported.
  mutating func takeDoubted() -> (keys: Set<[UInt8]>, stores: Set<String>) {
    defer { (doubted, doubtedStores, reviewAt) = ([], [], .max) }
    return (doubted, doubtedStores)
  }
}

extension Worker {
  /// The store has reported that a key has changed, or is gone.
  func doubtAPIKey(_ digest: [UInt8]) {
    tokenCache.forgetAPIKey(digest: digest)
    apiKeys.looks.doubt(digest)
  }

  /// What the store would have reported may be lost.
  func doubtAPIKeys(of store: Store) {
    tokenCache.forgetAPIKeys()
    apiKeys.looks.doubt(store)
  }

  /// A look has its answer.
  func concluded(_ look: APIKeyLook, _ answer: Answer) {
    apiKeys.looks.end(look)
    if let question = look.question {
      // A stream that begins with this answer hears of the change all the same.
      if look.isDoubted { apiKeys.looks.doubt(look.digest) }
      return conclude(question, answer)
    }
    switch answer {
    case .refused(.apiKeyInvalid):
      forEachExchange { if $0.streamOfAPIKey?.digest == look.digest { $0.apiKeyEnded() } }
    case .refused: apiKeys.looks.doubtLater(look.digest, at: time.nanoseconds)
    default: break
    }
  }

  /// Looks for the doubted keys of what is under way.
  func reviewStoredAPIKeys() {
    let doubted = apiKeys.looks.takeDoubted()
    var due: [[UInt8]: (set: APIKeySet, store: Store)] = [:]
    forEachExchange { exchange in
      guard let (digest, index) = exchange.streamOfAPIKey else { return }
      let set = exchange.snapshot.configuration.apiKeys[index]
      guard let place = set.store, let store = store(at: place, of: exchange.snapshot) else { return }
      if doubted.keys.contains(digest) || doubted.stores.contains(store.configuration.name) {
        due[digest] = (set, store)
      }
    }
    for (digest, place) in due
    where !apiKeys.looks.begin(APIKeyLook(nil, of: digest, id: nil, in: place.set, at: place.store)) {
      apiKeys.looks.doubtLater(digest, at: time.nanoseconds)
    }
  }
}

extension Exchange {
  /// The key in a store that a stream or a tunnel depends on.
  fileprivate var streamOfAPIKey: (digest: [UInt8], set: Int)? {
    guard tunnel != nil || isStream, let caller, case .apiKey(let set, _) = caller.proof,
      snapshot.configuration.apiKeys.indices.contains(set), let digest = caller.storedAPIKeyDigest
    else { return nil }
    return (digest, set)
  }

  fileprivate func apiKeyEnded() {
    if tunnel != nil { return endTunnel(.keyWithdrawn) }
    refuse(.token(.apiKeyInvalid))
  }

  /// Asks the store about the key that was found just now.
  /// - Returns: why the request does not wait.
  func askForAPIKey(_ index: Int) -> TokenRefusal? {
    let set = snapshot.configuration.apiKeys[index]
    guard let place = set.store, let store = worker.store(at: place, of: snapshot) else {
      return .apiKeyStoreUnavailable
    }
    let worker = worker
    let digest = worker.apiKeys.check.digest
    let id = worker.apiKeys.check.id
    // Who names another id asks another question.
    let asked = id.map { SHA256.digest((digest + $0).span) } ?? digest
    let question = Question(.apiKey(set: index), generation: snapshot.generation, digest: asked)
    return worker.questions.ask(question, Span(), for: self) { question in
      worker.apiKeys.looks.begin(APIKeyLook(question, of: digest, id: id, in: set, at: store))
    }
  }

  /// What the store's entry makes of the key, for all requests that asked about it.
  func verdict(on record: APIKeyRecord, to question: Question) -> Verdict {
    guard let route, case .apiKey(let set) = question.source else { return .refused(.apiKeyInvalid, issuer: nil) }
    let verdict = record.verdict(set: set, now: worker.time.unixSeconds)
    if case .caller(let caller) = verdict { remember(caller, route) }
    return verdict
  }
}
