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
      let advice = Self.meanings(of: String(digits), quantity, lowest...highest)
      error(node.position, "\(what) has no unit: write \(advice) (units: \(names.joined(separator: ", ")))")
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

  /// What a bare number probably means: for most programs bytes, and seconds or milliseconds.
  private static func meanings(of digits: String, _ quantity: Quantity, _ bounds: ClosedRange<Int64>) -> String {
    let number = Int64(digits) ?? .max
    let factors: [Int64]
    switch quantity {
    case .size: factors = number < 1000 ? [1, 1 << 10, 1 << 20] : [1]
    case .duration: factors = number < 1000 ? [1000] : [1, 1000]
    }
    let amounts = factors.compactMap { factor in
      let (amount, isOverflow) = number.multipliedReportingOverflow(by: factor)
      return !isOverflow && bounds.contains(amount) ? amount : nil
    }
    if amounts.isEmpty { return quantity.text(number < bounds.lowerBound ? bounds.lowerBound : bounds.upperBound) }
    return amounts.prefix(2).map { quantity.text($0).shown }.joined(separator: " or ")
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
