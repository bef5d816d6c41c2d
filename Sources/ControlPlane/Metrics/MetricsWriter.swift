// What takes the families of the page one after the other: a text, or a message for a collector.

internal import Proxy

/// The samples that follow a family belong to it.
protocol MetricsWriter: ~Copyable {
  typealias Labels = [(name: String, value: String)]

  mutating func family(_ family: MetricFamily)
  mutating func sample(_ labels: Labels, _ count: UInt64)
  mutating func sample(_ labels: Labels, gauge: Int)
  mutating func sample(_ labels: Labels, seconds: Double)
  mutating func histogram(_ labels: Labels, _ histogram: Histogram)
}

/// One histogram of a family.
struct Histogram {
  /// Upper bounds in nanoseconds, rising.
  var bounds: [UInt64]
  /// Counts between the bounds, not summed up. One more than bounds.
  var buckets: [UInt64]
  /// In nanoseconds.
  var sum: UInt64
  /// A traced request for each bucket that has seen one. Empty or as many as buckets.
  var exemplars: [Exemplar?] = []
}
