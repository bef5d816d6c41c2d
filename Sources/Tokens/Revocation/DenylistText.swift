// A denylist as a whole text to which a line is added. A list that is not good stays as it is.

import Bytes
import JSON

package enum DenylistText {
  /// The list with one more entry behind the others. The number of lines in its last line, where there is one, is one
  /// more as well.
  /// - Parameters:
  ///   - entry: without the end of its line. It has to be one, see ``DenylistEntry/read(_:)``.
  ///   - now: seconds since 1970.
  /// - Throws: what is wrong with the list, with the entry in it or without.
  package static func adding(_ entry: [UInt8], to list: [UInt8], now: Int64) throws(DenylistError) -> [UInt8] {
    if !list.isEmpty { try check(list, now: now) }
    let (end, count) = lastLine(of: list)
    var result = Array(list[..<end])
    result += entry + [0x0A]
    if let count { result += Array("{\"lines\": \(count + 1)}\n".utf8) }
    try check(result, now: now)
    return result
  }

  private static func check(_ list: [UInt8], now: Int64) throws(DenylistError) {
    var reader = DenylistReader(now: now)
    try reader.take(list.span)
    _ = try reader.finish()
  }

  /// Where the last line begins that says how many are before it, and how many those are. The end of a list that has
  /// no such line.
  private static func lastLine(of list: [UInt8]) -> (start: Int, count: Int64?) {
    var end = list.count
    while end > 0, [0x0A, 0x0D, 0x20, 0x09].contains(list[end - 1]) { end -= 1 }
    var start = end
    while start > 0, list[start - 1] != 0x0A { start -= 1 }
    var value: [UInt8] = []
    guard let members = try? DenylistEntry.members(of: list.span.extracting(start..<end), &value),
      let count = members.lineCount
    else { return (list.count, nil) }
    return (start, count)
  }
}
