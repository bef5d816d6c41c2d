// The families of `/metrics` as a collector of OpenTelemetry gets them: counters as cumulative sums, gauges and
// histograms.

internal import Bytes
internal import Proxy

/// Numbers of fields and values in `opentelemetry/proto/metrics/v1/metrics.proto`.
private enum Field {
  /// In the list of metrics, and in each of them.
  static let metric: UInt64 = 2
  static let name: UInt64 = 1
  static let description: UInt64 = 2
  static let unit: UInt64 = 3
  static let gauge: UInt64 = 5
  static let sum: UInt64 = 7
  static let histogram: UInt64 = 9
  /// In each of those three.
  static let point: UInt64 = 1
  static let temporality: UInt64 = 2
  static let isMonotonic: UInt64 = 3
  static let cumulative: UInt64 = 2
  /// In each point.
  static let start: UInt64 = 2
  static let time: UInt64 = 3
}

/// A list of metrics under construction.
struct MetricsMessage: ~Copyable, MetricsWriter {
  /// Since 1970, in nanoseconds.
  private let start: UInt64
  private let now: UInt64
  private var bytes = ByteQueue()
  private var current: MetricFamily?
  /// Of the family that is under construction.
  private var points = ByteQueue()

  init(start: UInt64, now: UInt64) {
    self.start = start
    self.now = now
  }

  /// All metrics that have values.
  consuming func finish() -> [UInt8] {
    endFamily()
    return bytes.copied()
  }

  mutating func family(_ family: MetricFamily) {
    endFamily()
    current = family
  }

  private mutating func endFamily() {
    guard let family = current.take(), !points.isEmpty else { return }
    let record = family.record
    var end = ByteQueue()
    if record.kind != .gauge { end.append(field: Field.temporality, number: Field.cumulative) }
    if record.kind == .counter { end.append(field: Field.isMonotonic, number: 1) }
    var head = ByteQueue()
    head.append(field: Field.name, bytes: family.collectedName.utf8.span)
    head.append(field: Field.description, bytes: "\(record.sentence)".utf8.span)
    if record.unit != .none { head.append(field: Field.unit, bytes: record.unit.collected.utf8.span) }
    let field =
      switch record.kind {
      case .gauge: Field.gauge
      case .counter: Field.sum
      case .histogram: Field.histogram
      }
    head.begin(field: field, byteCount: points.count + end.count)
    var points = ByteQueue()
    swap(&points, &self.points)
    bytes.begin(field: Field.metric, byteCount: head.count + points.count + end.count)
    bytes.append(head.span)
    bytes.append(points.span)
    bytes.append(end.span)
  }

  // MARK: Points

  mutating func sample(_ labels: Labels, _ count: UInt64) {
    let point = beginPoint(labels, attributeField: 7)
    points.append(field: 6, fixed: count)
    points.end(point)
  }

  mutating func sample(_ labels: Labels, gauge: Int) {
    let point = beginPoint(labels, attributeField: 7)
    points.append(field: 6, fixed: UInt64(bitPattern: Int64(gauge)))
    points.end(point)
  }

  mutating func sample(_ labels: Labels, seconds: Double) {
    let point = beginPoint(labels, attributeField: 7)
    points.append(field: 4, fixed: (seconds.isFinite ? max(0, seconds) : 0).bitPattern)
    points.end(point)
  }

  mutating func histogram(_ labels: Labels, _ histogram: Histogram) {
    let point = beginPoint(labels, attributeField: 9)
    points.append(field: 4, fixed: histogram.buckets.reduce(0, &+))
    points.append(field: 5, fixed: Self.seconds(histogram.sum).bitPattern)
    let buckets = points.begin(field: 6)
    for count in histogram.buckets { points.append(littleEndian: count) }
    points.end(buckets)
    let bounds = points.begin(field: 7)
    for bound in histogram.bounds { points.append(littleEndian: Self.seconds(bound).bitPattern) }
    points.end(bounds)
    for case let exemplar? in histogram.exemplars { append(exemplar) }
    points.end(point)
  }

  private mutating func beginPoint(_ labels: Labels, attributeField: UInt64) -> Int {
    let point = points.begin(field: Field.point)
    if current?.record.kind != .gauge { points.append(field: Field.start, fixed: start) }
    points.append(field: Field.time, fixed: now)
    for (name, value) in labels where !value.isEmpty { points.append(field: attributeField, named: name, value) }
    return point
  }

  private mutating func append(_ exemplar: Exemplar) {
    let begin = points.begin(field: 8)
    points.append(field: 2, fixed: UInt64(clamping: exemplar.unixMilliseconds) &* 1_000_000)
    points.append(field: 3, fixed: Self.seconds(exemplar.nanoseconds).bitPattern)
    points.begin(field: 4, byteCount: 8)
    points.append(littleEndian: exemplar.spanID.byteSwapped)
    points.begin(field: 5, byteCount: 16)
    points.append(littleEndian: exemplar.traceHigh.byteSwapped)
    points.append(littleEndian: exemplar.traceLow.byteSwapped)
    points.end(begin)
  }

  private static func seconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1_000_000_000 }
}

extension MetricFamily {
  /// As in `/metrics`, without the `_total` that Prometheus adds by itself.
  fileprivate var collectedName: String {
    record.kind == .counter && rawValue.hasSuffix("_total") ? String(rawValue.dropLast(6)) : rawValue
  }
}

extension MetricRecord.Unit {
  /// As the Unified Code for Units of Measure has it.
  fileprivate var collected: String {
    switch self {
    case .none: ""
    case .bytes: "By"
    case .seconds, .timestamp: "s"
    }
  }
}
