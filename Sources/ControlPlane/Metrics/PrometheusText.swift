// The two text formats: Prometheus' 0.0.4 and OpenMetrics 1.0.0. Families with HELP and TYPE, samples with escaped
// labels, cumulative histograms.
//
// Invariant: every sample is below the head of its own family, and each line ends in a line feed.

internal import Bytes
internal import Proxy

/// A page under construction.
struct PrometheusText: ~Copyable, MetricsWriter {
  private(set) var bytes = ByteQueue()
  private let format: MetricsFormat
  private var current = ""

  init(_ format: MetricsFormat = .prometheus) { self.format = format }

  mutating func family(_ family: MetricFamily) {
    current = family.rawValue
    let record = family.record
    let (name, type) = format == .openMetrics ? family.openForm : (current, record.kind.rawValue)
    bytes.append(text: "# HELP \(name) \(record.sentence)\n# TYPE \(name) \(type)\n")
    if format == .openMetrics, record.unit != .none { bytes.append(text: "# UNIT \(name) \(record.unit.base)\n") }
  }

  /// To be called behind the last sample.
  mutating func end() { if format == .openMetrics { bytes.append("# EOF\n") } }

  mutating func sample(_ labels: [(name: String, value: String)], _ count: UInt64) {
    head(suffix: "", labels)
    bytes.append(decimal: count)
    bytes.append("\n")
  }

  mutating func sample(_ labels: [(name: String, value: String)], gauge: Int) {
    head(suffix: "", labels)
    bytes.append(text: "\(gauge)\n")
  }

  /// - Parameter seconds: shown with three decimals.
  mutating func sample(_ labels: [(name: String, value: String)], seconds: Double) {
    head(suffix: "", labels)
    let nanoseconds = UInt64(exactly: (max(0, seconds) * 1000).rounded()).map {
      $0.multipliedReportingOverflow(by: 1_000_000)
    }
    bytes.append(text: Self.seconds(nanoseconds.flatMap { $0.overflow ? nil : $0.partialValue } ?? 0))
    bytes.append("\n")
  }

  mutating func histogram(_ labels: [(name: String, value: String)], _ histogram: Histogram) {
    var total: UInt64 = 0
    for (index, count) in histogram.buckets.enumerated() {
      total &+= count
      head(suffix: "_bucket", labels + [("le", bound(index, of: histogram.bounds))])
      bytes.append(decimal: total)
      if format == .openMetrics, histogram.exemplars.indices.contains(index), let exemplar = histogram.exemplars[index]
      {
        append(exemplar)
      }
      bytes.append("\n")
    }
    head(suffix: "_sum", labels)
    bytes.append(text: Self.seconds(histogram.sum) + "\n")
    head(suffix: "_count", labels)
    bytes.append(decimal: total)
    bytes.append("\n")
  }

  /// OpenMetrics has a point in every bound.
  private func bound(_ index: Int, of bounds: [UInt64]) -> String {
    if index >= bounds.count { return "+Inf" }
    let text = Self.seconds(bounds[index])
    return format == .openMetrics && !text.contains(".") ? text + ".0" : text
  }

  private mutating func append(_ exemplar: Exemplar) {
    bytes.append(" # {trace_id=\"")
    bytes.append(hexadecimal: exemplar.traceHigh, width: 16)
    bytes.append(hexadecimal: exemplar.traceLow, width: 16)
    bytes.append("\",span_id=\"")
    bytes.append(hexadecimal: exemplar.spanID, width: 16)
    bytes.append("\"} ")
    bytes.append(text: Self.seconds(exemplar.nanoseconds))
    bytes.append(" ")
    let milliseconds = UInt64(clamping: exemplar.unixMilliseconds)
    bytes.append(text: Self.seconds(milliseconds.multipliedReportingOverflow(by: 1_000_000).partialValue))
  }

  private mutating func head(suffix: String, _ labels: [(name: String, value: String)]) {
    bytes.append(text: current)
    bytes.append(text: suffix)
    var separator = UInt8(ascii: "{")
    for (name, value) in labels {
      bytes.append(separator)
      bytes.append(text: name)
      bytes.append("=\"")
      appendLabelValue(value)
      bytes.append(UInt8(ascii: "\""))
      separator = UInt8(ascii: ",")
    }
    if !labels.isEmpty { bytes.append(UInt8(ascii: "}")) }
    bytes.append(UInt8(ascii: " "))
  }

  /// Backslash, quote and line feed are escaped. Everything else is written as UTF-8.
  private mutating func appendLabelValue(_ value: String) {
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes.append("\\\\")
      case UInt8(ascii: "\""): bytes.append("\\\"")
      case UInt8(ascii: "\n"): bytes.append("\\n")
      default: bytes.append(byte)
      }
    }
  }

  /// Nanoseconds as exact decimal seconds without trailing zeros: `0.0005`, `10`.
  static func seconds(_ nanoseconds: UInt64) -> String {
    let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if rest == 0 { return String(whole) }
    var digits = String(1_000_000_000 + rest).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
  }
}

extension MetricFamily {
  /// How OpenMetrics calls it: a counter without the `_total` of its samples, and a constant with labels is an info,
  /// without the `_info` of its sample.
  fileprivate var openForm: (name: String, type: String) {
    let kind = record.kind
    if kind == .counter, rawValue.hasSuffix("_total") { return (String(rawValue.dropLast(6)), kind.rawValue) }
    if kind == .gauge, rawValue.hasSuffix("_info") { return (String(rawValue.dropLast(5)), "info") }
    return (rawValue, kind.rawValue)
  }
}
