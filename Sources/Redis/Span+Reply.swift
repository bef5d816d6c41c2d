// What reading replies needs of bytes.

import Bytes

extension Span where Element == UInt8 {
  /// A decimal number with or without a sign, and nothing else. Nil where it does not fit.
  var decimalInteger: Int64? {
    // LIMIT: a sign and the 19 digits of Int64.
    if isEmpty || count > 20 { return nil }
    let isNegative = self[0] == UInt8(ascii: "-")
    let start = isNegative || self[0] == UInt8(ascii: "+") ? 1 : 0
    if start == count { return nil }
    var value: Int64 = 0
    for index in start..<count {
      let digit = self[index] &- UInt8(ascii: "0")
      if digit > 9 { return nil }
      let (tens, isOver) = value.multipliedReportingOverflow(by: 10)
      // Downwards, as the smallest number has no positive one.
      let (sum, isPast) = tens.subtractingReportingOverflow(Int64(digit))
      if isOver || isPast { return nil }
      value = sum
    }
    if isNegative { return value }
    return value == .min ? nil : -value
  }

  func lastIndex(of byte: UInt8) -> Int? {
    var index = count - 1
    while index >= 0 {
      if self[index] == byte { return index }
      index -= 1
    }
    return nil
  }
}
