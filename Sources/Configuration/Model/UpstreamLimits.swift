// How many requests an upstream may have at once, and what becomes of those beyond.

/// `queue:` of an upstream: requests that wait for others to end.
package struct RequestQueue: Sendable, Equatable {
  /// Over all workers.
  package var length = 100
  package var timeout = Duration.seconds(1)

  package init() {}
}

/// `adaptive:` of an upstream: a limit on its requests that follows from how long it takes to answer.
package struct AdaptiveLimit: Sendable, Equatable {
  package var minimum = 10
  package var maximum = 1000
  /// In percent of the answers' usual time: what is slower lowers the limit.
  package var tolerance = 150

  package init() {}
}

extension RequestQueue {
  static let settings = Settings<RequestQueue>(
    "upstreams{}.queue", title: "'queue'", example: "{ length: 100, timeout: 1s }", blank: RequestQueue(),
    [
      Setting(
        "length", \.length, .integer(1...10_000),
        "How many requests may wait, over all workers. One more is refused at once."),
      Setting(
        "timeout", \.timeout, .duration(from: .milliseconds(100), to: .minutes(5)),
        "How long a request may wait. Then it is refused with `upstream_queue_timeout`."),
    ])
}

extension AdaptiveLimit {
  static let settings = Settings<AdaptiveLimit>(
    "upstreams{}.adaptive", title: "'adaptive'", example: "{ minimum: 10, maximum: 1000 }", blank: AdaptiveLimit(),
    finish: { limit, section in
      if limit.minimum > limit.maximum {
        section.reading.error(
          section.position, "the 'minimum' of 'adaptive' is above its 'maximum': write a smaller one")
      }
    },
    [
      Setting("minimum", \.minimum, .integer(1...1_000_000), "The limit is never lower."),
      Setting("maximum", \.maximum, .integer(1...1_000_000), "The limit is never higher."),
      Setting(
        "tolerance", \.tolerance, .percent(100...1000),
        "How slow an answer may be, against what is usual, before the limit goes down."),
    ])
}
