// Durations (`250ms`, `30s`, `5m`, `24h`) and sizes (`16KiB`, `1MiB`). The unit is required: a bare number is an error.

extension Reading {
  /// An amount within bounds, in the smallest unit.
  func amount(
    _ node: SourceNode, _ what: String, _ quantity: Quantity, from lowest: Int64, to highest: Int64
  ) -> Int64? {
    let kind = quantity == .duration ? "a duration with its unit" : "a size with its unit"
    let example = quantity == .duration ? "s" : "KiB"
    let names = quantity.units.map(\.name)
    guard case .scalar(let scalar) = node.content else {
      error(node.position, "\(what) must be \(kind), such as 10\(example), not \(node.kind)")
      return nil
    }
    let text = scalar.text
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(digits.count)
    guard !digits.isEmpty else {
      error(node.position, "\(what) must be \(kind), such as 10\(example), not \(node.kind)")
      return nil
    }
    if unit.isEmpty {
      error(
        node.position,
        "\(what) has no unit: write \("\(digits)\(example)".shown) (units: \(names.joined(separator: ", ")))")
      return nil
    }
    guard let unit = quantity.units.first(where: { $0.name == unit }) else {
      let near = Self.likelyUnit(String(unit), among: names)
      let advice =
        near.map { "did you mean \("\(digits)\($0)".shown)?" } ?? "the units are \(names.joined(separator: ", "))"
      error(node.position, "\(what) has an unknown unit in \(text.quoted): \(advice)")
      return nil
    }
    let (value, isOverflow) = (Int64(digits) ?? .max).multipliedReportingOverflow(by: unit.amount)
    guard !isOverflow, lowest <= value, value <= highest else {
      error(
        node.position, "\(what) must be from \(quantity.text(lowest)) to \(quantity.text(highest)), not \(node.kind)")
      return nil
    }
    return value
  }

  /// A duration of whole seconds, in milliseconds.
  func wholeSeconds(_ node: SourceNode, _ what: String, from lowest: Duration, to highest: Duration) -> Int64? {
    guard let value = amount(node, what, .duration, from: lowest.milliseconds, to: highest.milliseconds) else {
      return nil
    }
    if value % 1000 != 0 {
      error(node.position, "\(what) requires whole seconds: write \("\(value / 1000 + 1)s".shown)")
      return nil
    }
    return value
  }

  /// A whole number of percent.
  func percent(_ node: SourceNode, _ what: String, in range: ClosedRange<Int>) -> Int? {
    if case .scalar(let scalar) = node.content, scalar.text.last == "%",
      let value = decimal(String(scalar.text.dropLast())), range.contains(value)
    {
      return value
    }
    error(node.position, "\(what) must be from \(range.lowerBound)% to \(range.upperBound)%, not \(node.kind)")
    return nil
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
