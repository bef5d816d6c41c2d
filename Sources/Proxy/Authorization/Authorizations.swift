// What a worker remembers of the answers of services, and what it is asking.

import Bytes
import Configuration

struct Authorizations: ~Copyable {
  /// A 2xx that may be used again.
  private struct Entry {
    let key: [UInt8]
    let lines: [UInt8]
    /// In steady nanoseconds.
    let until: Int64
    /// In seconds since 1970.
    let callerEnd: Int64

    var byteCount: Int { key.count + lines.count + 160 }
  }

  /// Memory for what is being asked.
  var question = ByteQueue()
  /// What was remembered, or used, lately.
  private var young: [UInt64: Entry] = [:]
  private var youngByteCount = 0
  /// What was remembered before that.
  private var old: [UInt64: Entry] = [:]
  /// Those whose answer several requests may wait for.
  private var calls: [UInt64: AuthorizationCall] = [:]
  private var callCount = 0
  /// Random, so that nobody can make questions that collide.
  private let key0 = UInt64.random(in: .min ... .max)
  private let key1 = UInt64.random(in: .min ... .max)

  /// LIMIT: bytes that are remembered, at most twice as many. Then what was not used since is forgotten.
  static let byteCountMax = 2 * 1024 * 1024
  /// LIMIT: calls under way. Past it a request counts as one that the service does not answer.
  static let callCountMax = 1024

  func hash(of key: Span<UInt8>) -> UInt64 { key.keyedHash(key0, key1) }

  // MARK: Memory

  /// - Returns: the lines of the answer.
  mutating func lookUp(_ key: Span<UInt8>, _ hash: UInt64, at now: Time) -> [UInt8]? {
    if let entry = young[hash] { return Self.lines(of: entry, key, at: now) }
    guard let entry = old[hash], let lines = Self.lines(of: entry, key, at: now) else { return nil }
    old[hash] = nil
    insert(entry, hash)
    return lines
  }

  private static func lines(of entry: Entry, _ key: Span<UInt8>, at now: Time) -> [UInt8]? {
    now.nanoseconds < entry.until && now.unixSeconds < entry.callerEnd && entry.key.span.equals(key) ? entry.lines : nil
  }

  mutating func remember(_ key: [UInt8], _ hash: UInt64, _ lines: [UInt8], until: Int64, callerEnd: Int64) {
    insert(Entry(key: key, lines: lines, until: until, callerEnd: callerEnd), hash)
  }

  private mutating func insert(_ entry: Entry, _ hash: UInt64) {
    if youngByteCount + entry.byteCount > Self.byteCountMax {
      old = young
      young = [:]
      youngByteCount = 0
    }
    if let replaced = young.updateValue(entry, forKey: hash) { youngByteCount -= replaced.byteCount }
    youngByteCount += entry.byteCount
  }

  var rememberedCount: Int { young.count + old.count }

  /// Another configuration: its services are others, and so is what they are asked.
  mutating func forget() {
    young = [:]
    old = [:]
    youngByteCount = 0
    calls = [:]
  }

  // MARK: Calls

  func call(_ hash: UInt64) -> AuthorizationCall? { calls[hash] }

  var isFull: Bool { callCount >= Self.callCountMax }

  mutating func began(_ call: AuthorizationCall, isShared: Bool) {
    callCount += 1
    if isShared { calls[call.hash] = call }
  }

  /// - Returns: whether the answer is of use to later requests.
  mutating func ended(_ call: AuthorizationCall, isShared: Bool) -> Bool {
    callCount -= 1
    guard isShared, calls[call.hash] === call else { return false }
    calls[call.hash] = nil
    return true
  }
}
