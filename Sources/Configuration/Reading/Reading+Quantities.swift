// Durations (`250ms`, `30s`, `5m`, `24h`) and sizes (`16KiB`, `1MiB`). The unit is required: a bare number is an error.

extension Reading {
  private static let durationUnits: [(name: String, milliseconds: Int64)] = [
    ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]

  private static let sizeUnits: [(name: String, bytes: Int64)] = [
    ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
  ]

  /// A duration within bounds that are themselves written as in the file (`1s`...`24h`).
  func duration(_ node: SourceNode, _ what: String, from lowest: String, to highest: String) -> Duration? {
    milliseconds(node, what, from: lowest, to: highest).map { .milliseconds($0) }
  }

  /// A duration that is told in whole seconds.
  func seconds(_ node: SourceNode, _ what: String, from lowest: String, to highest: String) -> Int64? {
    guard let value = milliseconds(node, what, from: lowest, to: highest) else { return nil }
    if value % 1000 != 0 {
      error(node.place, "\(what) is told in whole seconds: write \("\(value / 1000 + 1)s".shown)")
      return nil
    }
    return value / 1000
  }

  private func milliseconds(_ node: SourceNode, _ what: String, from lowest: String, to highest: String) -> Int64? {
    quantity(
      node, what, units: Self.durationUnits.map { ($0.name, $0.milliseconds) }, kind: "a duration with its unit",
      example: "s", bounds: (lowest, highest))
  }

  /// A size in bytes.
  func size(_ node: SourceNode, _ what: String, from lowest: String, to highest: String) -> Int64? {
    quantity(
      node, what, units: Self.sizeUnits.map { ($0.name, $0.bytes) }, kind: "a size with its unit", example: "KiB",
      bounds: (lowest, highest))
  }

  /// A whole number of percent.
  func percent(_ node: SourceNode, _ what: String, in range: ClosedRange<Int>) -> Int? {
    if case .scalar(let scalar) = node.content, scalar.text.last == "%",
      let value = decimal(String(scalar.text.dropLast())), range.contains(value)
    {
      return value
    }
    error(node.place, "\(what) is from \(range.lowerBound)% to \(range.upperBound)%, not \(node.kind)")
    return nil
  }

  private func quantity(
    _ node: SourceNode, _ what: String, units: [(String, Int64)], kind: String, example: String,
    bounds: (lowest: String, highest: String)
  ) -> Int64? {
    let names = units.map(\.0).joined(separator: ", ")
    guard case .scalar(let scalar) = node.content else {
      error(node.place, "\(what) is \(kind), such as 10\(example), not \(node.kind)")
      return nil
    }
    let text = scalar.text
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(digits.count)
    guard !digits.isEmpty else {
      error(node.place, "\(what) is \(kind), such as 10\(example), not \(node.kind)")
      return nil
    }
    if unit.isEmpty {
      error(node.place, "\(what) has no unit: write \("\(digits)\(example)".shown) (units: \(names))")
      return nil
    }
    guard units.contains(where: { $0.0 == unit }) else {
      let near = Self.likelyUnit(String(unit), among: units.map(\.0))
      let advice = near.map { "did you mean \("\(digits)\($0)".shown)?" } ?? "the units are \(names)"
      error(node.place, "\(what) has an unknown unit in \(text.quoted): \(advice)")
      return nil
    }
    guard let value = Self.amount(text, units), let low = Self.amount(bounds.lowest, units),
      let high = Self.amount(bounds.highest, units), (low...max(low, high)).contains(value)
    else {
      error(node.place, "\(what) is from \(bounds.lowest) to \(bounds.highest), not \(node.kind)")
      return nil
    }
    return value
  }

  private static func amount(_ text: String, _ units: [(String, Int64)]) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), let unit = units.first(where: { $0.0 == text.dropFirst(digits.count) }) else {
      return nil
    }
    let (value, isOverflow) = number.multipliedReportingOverflow(by: unit.1)
    return isOverflow ? nil : value
  }

  private static func likelyUnit(_ unit: String, among names: [String]) -> String? {
    let plain = unit.trimmingPrefix(" ").lowercased()
    let aliases = [
      "k": "KiB", "kb": "KiB", "kib": "KiB", "m": "MiB", "mb": "MiB", "mib": "MiB", "g": "GiB", "gb": "GiB",
      "gib": "GiB",
      "tb": "TiB", "tib": "TiB", "b": "B", "bytes": "B",
    ]
    let durations = [
      "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minutes": "m",
      "minute": "m", "m": "m", "h": "h", "hour": "h", "hours": "h", "hr": "h", "ms": "ms", "msec": "ms", "d": "d",
      "day": "d", "days": "d",
    ]
    return (names.contains("s") ? durations : aliases)[plain]
  }
}
