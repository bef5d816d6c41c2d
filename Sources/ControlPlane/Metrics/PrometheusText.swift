// Prometheus' text format, version 0.0.4: families with HELP and TYPE, samples with escaped labels, cumulative
// histograms.
//
// Invariant: every sample is below the head of its own family, and each line ends in a line feed.

import Bytes

/// A page under construction.
struct PrometheusText: ~Copyable {
  private(set) var bytes = ByteQueue()
  private var current = ""

  init() {}

  /// Begins a family. The samples that follow belong to it.
  mutating func family(_ family: MetricFamily) {
    current = family.rawValue
    let record = family.record
    bytes.append(text: "# HELP \(current) \(record.sentence)\n# TYPE \(current) \(record.kind.rawValue)\n")
  }

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

  /// - Parameters:
  ///   - bounds: upper bounds in nanoseconds, rising.
  ///   - buckets: counts between the bounds, not summed up. One more than bounds.
  ///   - sum: in nanoseconds.
  mutating func histogram(
    _ labels: [(name: String, value: String)], bounds: [UInt64], buckets: [UInt64], sum: UInt64
  ) {
    var total: UInt64 = 0
    for (index, count) in buckets.enumerated() {
      total &+= count
      let bound = index < bounds.count ? Self.seconds(bounds[index]) : "+Inf"
      head(suffix: "_bucket", labels + [("le", bound)])
      bytes.append(decimal: total)
      bytes.append("\n")
    }
    head(suffix: "_sum", labels)
    bytes.append(text: Self.seconds(sum) + "\n")
    head(suffix: "_count", labels)
    bytes.append(decimal: total)
    bytes.append("\n")
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
