// How long a connection to a server takes requests: what the file allows, and what the server has said.

import Bytes
import HTTPWire

struct ConnectionLife {
  /// The end of `connection_max_age`.
  private(set) var endsAt = Int64.max
  private var requestCount = 0
  /// How long the server keeps the connection when nothing comes, less a margin. The answer that came last counts.
  private var announcedIdleTimeout = Int64.max

  /// A server that closes a connection as the next request is on its way loses that request. So the gateway goes first.
  private static let marginNanoseconds: Int64 = 1_000_000_000

  mutating func begin(of pool: UpstreamPool, at now: Int64) {
    endsAt = pool.connectionAgeMax == .max ? .max : now &+ pool.connectionAgeMax
  }

  mutating func countRequest() { requestCount &+= 1 }

  func hasRoom(in pool: UpstreamPool) -> Bool { requestCount < pool.connectionRequestCountMax }

  /// Takes the server at its word.
  mutating func note(_ response: borrowing ResponseHead) {
    guard let announced = response.keepAliveTimeout else { return }
    announcedIdleTimeout = max(0, announced - Self.marginNanoseconds)
  }

  /// When the connection is closed if no request comes. Nil if it takes no more requests.
  func idleEnd(of pool: UpstreamPool, at now: Int64) -> Int64? {
    let end = min(now &+ min(pool.idleTimeout, announcedIdleTimeout), endsAt)
    return end > now && hasRoom(in: pool) ? end : nil
  }
}

extension ResponseHead {
  /// Nanoseconds of `Keep-Alive: timeout=N`. Nil without it.
  fileprivate var keepAliveTimeout: Int64? {
    guard let field = first(.keepAlive) else { return nil }
    let bytes = bytes.span
    var elements = ListElements(field.value)
    while let element = elements.next(in: bytes) {
      guard let equals = bytes.extracting(element).firstIndex(of: UInt8(ascii: "=")) else { continue }
      let name = trimmed(element.lowerBound..<element.lowerBound + equals, in: bytes)
      guard bytes.extracting(name).equalsIgnoringCase("timeout") else { continue }
      let value = bytes.extracting(trimmed(element.lowerBound + equals + 1..<element.upperBound, in: bytes))
      // LIMIT: six digits, which no idle timeout of the file reaches.
      guard (1...6).contains(value.count) else { return nil }
      var seconds: Int64 = 0
      for index in value.indices {
        let digit = value[index] &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        seconds = seconds * 10 + Int64(digit)
      }
      return seconds * 1_000_000_000
    }
    return nil
  }
}
