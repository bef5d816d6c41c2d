// Amounts with a unit: durations (`250ms`, `30s`, `5m`, `24h`, `7d`) and sizes (`512B`, `16KiB`, `1MiB`).

enum Quantity {
  case duration, size

  /// From the smallest, each with what it holds of the first.
  var units: [(name: String, amount: Int64)] {
    switch self {
    case .duration: [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
    case .size: [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)]
    }
  }

  /// As an operator writes it, in the largest unit that needs no fraction. A single day is 24 hours.
  func text(_ amount: Int64) -> String {
    if amount == 0 { return self == .duration ? "0s" : "0B" }
    let unit = units.last { amount % $0.amount == 0 && !($0.name == "d" && amount == $0.amount) } ?? units[0]
    return "\(amount / unit.amount)\(unit.name)"
  }
}

extension Duration {
  static func minutes(_ count: Int64) -> Duration { .seconds(count * 60) }
  static func hours(_ count: Int64) -> Duration { .seconds(count * 3600) }
  static func days(_ count: Int64) -> Duration { .seconds(count * 86_400) }

  /// Rounded down. Settings have no smaller unit.
  var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }

  /// As an operator writes it.
  var settingText: String { Quantity.duration.text(milliseconds) }
}

extension FixedWidthInteger {
  static func kibi(_ count: Self) -> Self { count << 10 }
  static func mebi(_ count: Self) -> Self { count << 20 }
  static func gibi(_ count: Self) -> Self { count << 30 }
  static func tebi(_ count: Self) -> Self { count << 40 }
}
