// API keys that are in a store: what a worker has asked of it, and what it does when the store reports that a key has
// changed. It is as with sessions: what is remembered is forgotten at once, and what is under way goes on until the
// store says that the key is gone.

import Bytes
import Configuration
import Cryptography
import Redis
import Tokens

/// One key that is looked for.
final class APIKeyLook: StoreLook {
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
    if reply.kind(reply.root) == .null { rememberLack() }
    store.worker.concluded(self, finding(in: reply))
  }

  // LIMIT: how long a worker remembers that a key is unknown, in case that no report comes.
  private static let lackNanosecondsMax: Int64 = 5_000_000_000

  private func rememberLack() {
    let worker = store.worker
    guard !isDoubted, let question, question.generation == worker.snapshot.generation,
      case .apiKey(let index) = question.source
    else { return }
    let nanoseconds = min(set.cache.nanoseconds, Self.lackNanosecondsMax)
    if nanoseconds <= 0 { return }
    worker.apiKeys.unknown.insert(digest, of: index, until: worker.time.nanoseconds &+ nanoseconds)
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
    let freshSeconds = isDoubted ? 0 : set.cache.nanoseconds / 1_000_000_000
    guard let record = APIKeyRecord(reply.text(reply.root), of: digest, freshUntil: now + freshSeconds) else {
      return unreadable
    }
    if let id, id != record.id { return .refused(.apiKeyInvalid) }
    return .apiKey(record)
  }

  private var unreadable: Answer {
    store.reportUnreadable()
    return .refused(.apiKeyInvalid)
  }
}

/// What a worker has of API keys.
struct WorkerAPIKeys {
  /// Of the request that is looked at.
  var check = APIKeyCheck()
  /// Those that are in a store.
  var looks = StoreLooks<APIKeyLook>(countMax: WorkerAPIKeys.lookCountMax)
  /// Those that a store does not have, by set. It reports when they come.
  var unknown = RememberedRefusals()

  /// LIMIT: so many keys are looked for at one time, so that a storm of made-up keys leaves the store to others.
  static let lookCountMax = 256
}

extension Worker {
  /// The store has reported that a key has changed, or is gone.
  func doubtAPIKey(_ digest: [UInt8]) {
    tokenCache.forgetAPIKey(digest: digest)
    for index in snapshot.configuration.apiKeys.indices { apiKeys.unknown.remove(digest, of: index) }
    apiKeys.looks.doubt(digest)
  }

  /// What the store would have reported may be lost.
  func doubtAPIKeys(of store: Store) {
    tokenCache.forgetAPIKeys()
    apiKeys.unknown.removeAll()
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
      if doubted.digests.contains(digest) || doubted.stores.contains(store.configuration.name) {
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
