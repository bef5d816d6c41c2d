// Which of the two text formats a scrape gets: Prometheus' own, or OpenMetrics, which can carry exemplars.

/// Both have the same families.
package enum MetricsFormat: Sendable {
  /// Prometheus' text format, version 0.0.4.
  case prometheus
  /// OpenMetrics 1.0.0.
  case openMetrics

  /// What `Content-Type` says of it.
  package var contentType: String {
    switch self {
    case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
  }

  /// OpenMetrics for clients that name it, and like nothing else better (RFC 9110 §12.5.1). The other for all others,
  /// as no scrape is to fail for its `Accept`.
  package init(accept fields: [String]) {
    var open = 0.0
    var plain: (weight: Double, rank: Int) = (0, -1)
    for element in fields.flatMap({ $0.split(separator: ",") }) {
      let parts = element.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      guard let type = parts.first else { continue }
      let weight = Self.weight(parts.dropFirst())
      let version = parts.first { $0.hasPrefix("version=") }?.dropFirst(8).filter { $0 != "\"" }
      switch type {
      case "application/openmetrics-text":
        if version == nil || version == "1.0.0" { open = max(open, weight) }
      case "text/plain", "text/*", "*/*":
        // What names a type more closely counts.
        let rank = ["*/*", "text/*", "text/plain"].firstIndex(of: type) ?? 0
        if rank > plain.rank || rank == plain.rank && weight > plain.weight { plain = (weight, rank) }
      default: break
      }
    }
    self = open > 0 && open >= plain.weight ? .openMetrics : .prometheus
  }

  /// 1 without one, 0 for what is not a number from 0 to 1.
  private static func weight(_ parameters: ArraySlice<String>) -> Double {
    guard let text = parameters.first(where: { $0.hasPrefix("q=") })?.dropFirst(2) else { return 1 }
    guard text.utf8.allSatisfy({ 0x30...0x39 ~= $0 || $0 == 0x2E }), let weight = Double(text), weight <= 1 else {
      return 0
    }
    return weight
  }
}
