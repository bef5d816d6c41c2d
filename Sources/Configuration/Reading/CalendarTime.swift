// Days and moments as people write them (RFC 3339).

enum CalendarTime {
  /// Seconds since 1970 of `2027-01-31`, in UTC, or of `2027-01-31T12:00:00Z`. Nil for everything else.
  static func unixSeconds(_ text: String) -> Int64? {
    let parts = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
    guard let day = days(parts[0]) else { return nil }
    if parts.count == 1 { return day * 86400 }
    guard parts[1].last == "Z" else { return nil }
    let clock = parts[1].dropLast().split(separator: ":", omittingEmptySubsequences: false)
    guard clock.count == 3, let hour = number(clock[0], 2), let minute = number(clock[1], 2),
      let second = number(clock[2], 2), hour < 24, minute < 60, second < 60
    else { return nil }
    return day * 86400 + hour * 3600 + minute * 60 + second
  }

  private static func number(_ text: Substring, _ digitCount: Int) -> Int64? {
    text.utf8.count == digitCount && text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) ? Int64(text) : nil
  }

  /// Since 1970, by the Gregorian calendar.
  private static func days(_ text: Substring) -> Int64? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, let year = number(parts[0], 4), let month = number(parts[1], 2),
      let day = number(parts[2], 2), (1...12).contains(month), year >= 1970
    else { return nil }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard (1...lengths[Int(month) - 1]).contains(day) else { return nil }
    let before = year - 1
    let leapDays = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
    return (year - 1970) * 365 + leapDays + lengths.prefix(Int(month) - 1).reduce(0, +) + day - 1
  }
}
