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
