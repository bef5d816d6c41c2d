// A rate limit that a fleet counts in a store: the arithmetic of RateLimiter as a script of Redis, by the clock of
// Redis. The bucket and its expiry are written by one command, so that no bucket can stay behind without an end (T111).

import Bytes
import Configuration
import Cryptography
import Redis
import Tokens

/// Immutable, shared by all workers.
final class FleetLimit: Sendable {
  /// Index into the stores of the configuration.
  let store: Int
  let lease: Int
  let onFailure: RateLimit.OnFailure
  let shape: BucketShape
  /// How long requests that were taken at once may be spent, in nanoseconds.
  let holdNanoseconds: Int64
  private let hold: Int64
  private let interval: Int64
  private let capacity: Int64
  /// `limit:NAME:`
  private let keyStart: [UInt8]

  /// Eighths of a microsecond: Redis' clock has microseconds, and its numbers are exact up to 2^53.
  private static let ticksPerSecond: Int64 = 8_000_000
  private static let nanosecondsPerTick: Int64 = 125
  /// LIMIT: how long a lease lasts, and which part of what fills the bucket. It has so much less room meanwhile.
  private static let holdTicksMax = 60 * ticksPerSecond
  private static let holdsPerCapacity: Int64 = 10

  /// Nil for a limit that each process counts.
  init?(_ limit: RateLimit) {
    guard let store = limit.store else { return nil }
    self.store = store
    lease = limit.lease
    onFailure = limit.onFailure
    let requests = Int64(clamping: limit.requests)
    // Up: what is not a whole number of ticks must not let more through than was said.
    interval = max(1, (limit.per.components.seconds * Self.ticksPerSecond + requests - 1) / requests)
    capacity = interval * Int64(clamping: limit.burst)
    shape = BucketShape(interval: interval * Self.nanosecondsPerTick, capacity: capacity * Self.nanosecondsPerTick)
    hold = min(capacity / Self.holdsPerCapacity, Self.holdTicksMax)
    holdNanoseconds = hold * Self.nanosecondsPerTick
    keyStart = Array("limit:\(limit.name):".utf8)
  }

  /// What the store says: so many requests were taken, and the bucket is full again in so many nanoseconds.
  struct Answer {
    var takenCount: Int
    var debt: Int64

    /// Nil for what is not an answer of the script.
    init?(_ reply: borrowing Reply) {
      guard let first = reply.first(in: reply.root), let second = reply.next(after: first, in: reply.root),
        let taken = reply.integer(first), let debt = reply.integer(second), taken >= 0, debt >= 0,
        debt < Int64.max / nanosecondsPerTick
      else { return nil }
      takenCount = Int(clamping: taken)
      self.debt = debt * nanosecondsPerTick
    }
  }

  // MARK: The command

  /// The key of a bucket. Nothing of a client can be read in it.
  /// - Parameter name: what distinguishes the bucket from others of the limit, whole.
  func key(of name: Span<UInt8>, prefix: [UInt8]) -> [UInt8] {
    var key = ByteQueue()
    key.append(prefix)
    key.append(keyStart)
    key.append(digest: SHA256.digest(name), count: 16)
    return key.copied()
  }

  /// - Parameter isWhole: with the script itself, for a store that does not know it yet.
  func append(to command: inout ByteQueue, key: Span<UInt8>, count: Int, isWhole: Bool) {
    command.beginCommand(partCount: 8)
    if isWhole {
      command.append(part: "EVAL")
      command.append(part: Self.script)
    } else {
      command.append(part: "EVALSHA")
      command.append(part: Self.scriptDigest.utf8.span)
    }
    command.append(part: 1)
    command.append(part: key)
    command.append(part: interval)
    command.append(part: capacity)
    command.append(part: Int64(clamping: count))
    command.append(part: count > 1 ? hold : 0)
  }

  /// The moment at which the bucket is full again is all that is kept, as in ``RateLimiter``. A clock that was set back
  /// must not close a bucket for longer than it takes to fill.
  ///
  /// Several requests at once are reckoned as if they came at the end of the time for which they may be held. However
  /// they are spent until then, no more pass in any stretch of time than the limit says. One alone is not held.
  static let script: StaticString = """
    local time = redis.call('TIME')
    local now = (time[1] - 1600000000) * 8000000 + time[2] * 8
    local interval, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
    local wanted, hold = tonumber(ARGV[3]), tonumber(ARGV[4])
    local full = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
    if full < now then full = now end
    if full > now + capacity then full = now + capacity end
    local from = math.max(full, now + hold)
    local taken = math.min(wanted, math.floor((capacity - (from - now)) / interval))
    if taken < 2 then
      from = full
      taken = math.min(1, math.floor((capacity - (full - now)) / interval))
    end
    if taken < 1 then return {0, full - now} end
    full = from + taken * interval
    redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 8000))
    return {taken, full - now}
    """

  /// What Redis calls the script.
  static let scriptDigest: String = {
    var text = ByteQueue()
    text.append(script)
    var digest = ByteQueue()
    for byte in SHA1.digest(text.span) { digest.append(hexadecimal: UInt64(byte), width: 2) }
    return String(decoding: digest.copied(), as: UTF8.self)
  }()
}
