// What a worker looks for in a store, and what it has to look for again because the store has reported a change. What
// is remembered is forgotten at once. What is under way goes on, until the store says that it has no right to.

import Configuration
import Cryptography
import Tokens

/// One session or key that is looked for.
protocol StoreLook: StoreAsker {
  /// Nil where no request waits, and only what is under way depends on it.
  var question: Question? { get }
  /// Of what is looked for.
  var digest: [UInt8] { get }
  var store: Store { get }
  /// It has changed since the store was asked, or may have.
  var isDoubted: Bool { get set }

  /// - Returns: false where nobody would answer.
  func begin() -> Bool
}

struct StoreLooks<Look: StoreLook> {
  private struct Name: Hashable {
    let digest: [UInt8]

    func hash(into hasher: inout Hasher) { hasher.combine(digest: digest) }
  }

  /// By digest. Two configurations may ask about one.
  private var underWay: [Name: [Look]] = [:]
  private(set) var count = 0
  /// LIMIT: so many looks are under way at one time. A further one does not begin.
  private let countMax: Int
  /// Those whose streams and tunnels may have no right to go on.
  private var doubted: Set<[UInt8]> = []
  /// By the names of stores, all of whose entries are doubted.
  private var doubtedStores: Set<String> = []
  /// In steady nanoseconds, when those are looked for. Max where none is.
  private var reviewAt = Int64.max

  /// LIMIT: a store that does not answer is asked again once a second.
  private static var retryNanoseconds: Int64 { 1_000_000_000 }

  init(countMax: Int) { self.countMax = countMax }

  /// - Returns: false where nobody would answer.
  mutating func begin(_ look: Look) -> Bool {
    guard count < countMax, look.begin() else { return false }
    count += 1
    underWay[Name(digest: look.digest), default: []].append(look)
    return true
  }

  mutating func end(_ look: Look) {
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
  mutating func takeDoubted() -> (digests: Set<[UInt8]>, stores: Set<String>) {
    defer { (doubted, doubtedStores, reviewAt) = ([], [], .max) }
    return (doubted, doubtedStores)
  }
}
