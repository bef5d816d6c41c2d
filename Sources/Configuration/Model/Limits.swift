// `limits:`: what one client may take.

/// `limits:`. Sizes in bytes.
package struct Limits: Sendable, Equatable {
  package var headerSize = 32 * 1024
  package var headers = 100
  package var tokenSize = 16 * 1024
  package var bodySize: UInt64 = 10 * 1024 * 1024
  package var connections = 10_000
  /// Of one client, over all workers. 0 is no bound.
  package var connectionsPerClient = 0
  /// Bits of an IPv6 address that make a client.
  package var ipv6PrefixLength = 64
  /// Concurrent HTTP/2 streams of one connection.
  package var streams = 100
  /// What waits in all connections together. Nil is a quarter of what the process may use.
  package var memory: Int?
  /// Of verified tokens, in each worker. 0 remembers none. Nil where the machine decides: the default, or less.
  package var tokenCache: Int?
  /// Of proofs that were seen, over all workers.
  package var replayMemory = 8 * 1024 * 1024
  package var headerTimeout = Duration.seconds(10)
  package var bodyTimeout = Duration.seconds(30)
  /// Bytes a second that a request's body must bring on average. 0 is no bound.
  package var bodyRate = 0
  package var idleTimeout = Duration.seconds(75)
  package var drainDelay = Duration.zero
  package var drainTimeout = Duration.seconds(30)
  /// A client that ends its sending side still waits for its answer.
  package var halfClose = false

  package static let tokenCacheDefault = 64 * 1024 * 1024

  package init() {}
}

extension Limits {
  static let settings = Settings<Limits>(
    "limits", title: "'limits'", example: "limits: { body_size: 10MiB }", blank: Limits(),
    finish: { limits, section in section.reading.check(limits, section) },
    [
      Setting(
        "header_size", \.headerSize, .size(from: .kibi(1), to: .mebi(1)),
        "The whole request head. A larger one is answered 431."),
      Setting("headers", \.headers, .integer(10...1000), "Header fields of a request. More are answered 431."),
      Setting(
        "token_size", \.tokenSize, .size(from: .kibi(1), to: .mebi(1)),
        "A token. A longer one is answered 401 `token_too_large`."),
      Setting(
        "body_size", \.bodySize, .bodySize,
        "A request's body. A larger one is answered 413. A route may set its own."),
      Setting(
        "connections", \.connections, .integer(1...1_000_000),
        "Client connections over all workers. Past it, the connection that has been idle longest is closed for a new "
          + "one. Where none is idle, new ones wait in the accept queue."),
      Setting(
        "connections_per_client", \.connectionsPerClient, .integer(0...1_000_000),
        "Connections of one client over all workers. Past it, new ones are closed at once. `0` sets no limit."),
      Setting(
        "ipv6_prefix", \.ipv6PrefixLength, .integer(32...128),
        "How many bits of an IPv6 address make a client, here and in rate limits by `client_ip`."),
      Setting("streams", \.streams, .integer(1...10_000), "Requests at one time on one HTTP/2 connection."),
      Setting(
        "memory", \.memory, .size(from: .mebi(8), to: .tebi(1)), "What waits in all connections together.",
        otherwise: "a quarter of the memory that the process may use", example: .mebi(512)),
      Setting(
        "token_cache", \.tokenCache, .tokenCache,
        "Memory for verified tokens in each worker. `0B` remembers none.",
        otherwise: "64MiB, or less on a small machine", example: .mebi(64)),
      Setting(
        "replay_memory", \.replayMemory, .size(from: .kibi(4), to: .gibi(4)),
        "Memory for proofs (DPoP) that were seen, over all workers: 8 bytes each, for as long as one is good. It is taken "
          + "as it is needed. Where it is full, a proof is answered 503 `proofs_unavailable`."),
      Setting(
        "header_timeout", \.headerTimeout, .duration(from: .milliseconds(100), to: .minutes(10)),
        "The whole head must arrive within it. A later one is answered 408."),
      Setting(
        "body_timeout", \.bodyTimeout, .duration(from: .milliseconds(100), to: .hours(1)),
        "Between two reads of a body. Once both sides have begun, either of them keeps the exchange alive."),
      Setting(
        "body_rate", \.bodyRate, .size(from: 0, to: .gibi(1)),
        "Bytes a second that a request's body must bring on average over each `body_timeout`. A slower one is answered "
          + "408 `body_timeout`. `0B` sets no limit."),
      Setting(
        "idle_timeout", \.idleTimeout, .duration(from: .milliseconds(100), to: .hours(24)),
        "How long a kept connection may be silent."),
      Setting(
        "drain_delay", \.drainDelay, .duration(from: .zero, to: .hours(1)),
        "How long after SIGTERM everything is still served while `/readyz` is 503, so that load balancers look away."),
      Setting(
        "drain_timeout", \.drainTimeout, .duration(from: .zero, to: .hours(1)),
        "How long running requests may take to finish then."),
      Setting(
        "half_close", \.halfClose, .boolean,
        "Whether a client that ends its sending side may still wait for its answer."),
    ])
}

extension Reading {
  fileprivate func check(_ limits: Limits, _ section: Section) {
    if let node = section["token_size"], limits.tokenSize > limits.headerSize {
      error(
        node.position,
        "'token_size' is larger than 'header_size', so no such token could arrive: raise 'header_size' as well")
    }
  }
}

extension ValueType where Value == UInt64 {
  /// `body_size` of the limits or of a route.
  static let bodySize = ValueType.size(from: 0, to: .tebi(1024)).orKeyword("unlimited", for: .max)
}

extension ValueType where Value == Int {
  /// So small that nearly nothing fits is a slip. Nothing at all may be meant.
  fileprivate static let tokenCache = ValueType(
    .reference("size", "size, 64KiB…1TiB, or `0B`", bounds: "From 64KiB to 1TiB, or 0B"),
    write: { .text(Quantity.size.text(Int64($0))) },
    read: { node, reading, what in
      guard let value = ValueType.size(from: 0, to: .tebi(1)).read(node, reading, what) else { return nil }
      if value > 0, value < .kibi(64) {
        reading.error(node.position, "\(what) must be at least 64KiB: write that, or 0B to remember no token")
        return nil
      }
      return value
    })
}
