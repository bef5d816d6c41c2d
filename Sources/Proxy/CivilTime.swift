// Dates of the proleptic Gregorian calendar, by arithmetic alone: no locale, no time zone, nothing to be cached, about
// ten nanoseconds.

package import Bytes

/// A moment in UTC, cut into its parts.
package struct CivilTime: Equatable {
  var year: Int64
  /// 1...12
  var month: Int64
  /// 1...31
  var day: Int64
  var hour: Int64
  var minute: Int64
  var second: Int64
  var millisecond: Int64

  // LIMIT: years 0 to 9999, the range that both formats can write. Other moments are shown as its ends.
  private static let earliest: Int64 = -62_167_219_200_000
  private static let latest: Int64 = 253_402_300_799_999

  package init(unixMilliseconds: Int64) {
    let moment = max(Self.earliest, min(Self.latest, unixMilliseconds))
    // Counted from year 0, all quantities below are positive and division rounds the same way everywhere.
    let milliseconds = moment - Self.earliest
    millisecond = milliseconds % 1000
    let seconds = milliseconds / 1000
    second = seconds % 60
    minute = seconds / 60 % 60
    hour = seconds / 3600 % 24
    // Years begin in March here, so that the leap day is the last of its year. Year 0 began 60 days before its March.
    let days = seconds / 86_400 + 146_097 - 60
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shifted + 2) / 5 + 1
    month = shifted < 10 ? shifted + 3 : shifted - 9
    year = (era - 1) * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  }
}

extension ByteQueue {
  /// `2026-11-23T16:41:22.001Z` (RFC 3339).
  package mutating func appendTimestamp(_ time: CivilTime) {
    // Put together first and appended at once: two dozen single appends were a tenth of a line's cost.
    var text = InlineArray<24, UInt8>(repeating: UInt8(ascii: "-"))
    Self.write(time.year / 100, to: &text, at: 0)
    Self.write(time.year % 100, to: &text, at: 2)
    Self.write(time.month, to: &text, at: 5)
    Self.write(time.day, to: &text, at: 8)
    text[10] = UInt8(ascii: "T")
    Self.write(time.hour, to: &text, at: 11)
    text[13] = UInt8(ascii: ":")
    Self.write(time.minute, to: &text, at: 14)
    text[16] = UInt8(ascii: ":")
    Self.write(time.second, to: &text, at: 17)
    text[19] = UInt8(ascii: ".")
    text[20] = UInt8(truncatingIfNeeded: 48 &+ time.millisecond / 100)
    Self.write(time.millisecond % 100, to: &text, at: 21)
    text[23] = UInt8(ascii: "Z")
    append(text.span)
  }

  @inline(__always)
  private static func write(_ value: Int64, to text: inout InlineArray<24, UInt8>, at index: Int) {
    text[index] = UInt8(truncatingIfNeeded: 48 &+ value / 10)
    text[index + 1] = UInt8(truncatingIfNeeded: 48 &+ value % 10)
  }

  /// `23/Nov/2026:16:41:22 +0000`, as Apache writes it.
  mutating func appendApacheTime(_ time: CivilTime) {
    appendPadded(time.day, digits: 2)
    append(UInt8(ascii: "/"))
    append(Self.monthName(time.month))
    append(UInt8(ascii: "/"))
    appendPadded(time.year / 100, digits: 2)
    appendPadded(time.year % 100, digits: 2)
    append(UInt8(ascii: ":"))
    appendClock(time)
    append(" +0000")
  }

  mutating func appendClock(_ time: CivilTime) {
    appendPadded(time.hour, digits: 2)
    append(UInt8(ascii: ":"))
    appendPadded(time.minute, digits: 2)
    append(UInt8(ascii: ":"))
    appendPadded(time.second, digits: 2)
  }

  static func monthName(_ month: Int64) -> StaticString {
    switch month {
    case 1: "Jan"
    case 2: "Feb"
    case 3: "Mar"
    case 4: "Apr"
    case 5: "May"
    case 6: "Jun"
    case 7: "Jul"
    case 8: "Aug"
    case 9: "Sep"
    case 10: "Oct"
    case 11: "Nov"
    default: "Dec"
    }
  }
}
