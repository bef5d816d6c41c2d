// The `Date` field (RFC 9110 §5.6.7), made once a second and written into many answers.

import Bytes

/// True for the second that it was made in.
struct DateField {
  /// The whole line with its CRLF.
  private(set) var line: [UInt8] = []
  /// Where in it the value is.
  private(set) var value = 0..<0

  mutating func update(unixSeconds: Int64) {
    let time = CivilTime(unixMilliseconds: unixSeconds * 1000)
    let days = (unixSeconds - ((unixSeconds % 86_400) + 86_400) % 86_400) / 86_400
    let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    var queue = ByteQueue()
    queue.append("Date: ")
    let start = queue.count
    queue.append(text: weekdays[Int((days % 7 + 7) % 7)])
    queue.append(", ")
    queue.appendPadded(time.day, digits: 2)
    queue.append(" ")
    queue.append(ByteQueue.monthName(time.month))
    queue.append(" ")
    queue.appendPadded(time.year / 100, digits: 2)
    queue.appendPadded(time.year % 100, digits: 2)
    queue.append(" ")
    queue.appendClock(time)
    queue.append(" GMT")
    value = start..<queue.count
    queue.append("\r\n")
    line = queue.copied()
  }
}
