// Commands for Redis as they are written: a list of bulk strings, each with its length, so that no byte of any part can
// be taken for something else.

package import Bytes

extension ByteQueue {
  /// Begins a command. So many parts have to follow, its name included.
  package mutating func beginCommand(partCount: Int) {
    append("*")
    append(decimal: UInt64(clamping: partCount))
    append("\r\n")
  }

  package mutating func append(part bytes: Span<UInt8>) {
    append("$")
    append(decimal: UInt64(clamping: bytes.count))
    append("\r\n")
    append(bytes)
    append("\r\n")
  }

  package mutating func append(part word: StaticString) {
    append("$")
    append(decimal: UInt64(clamping: word.utf8CodeUnitCount))
    append("\r\n")
    append(word)
    append("\r\n")
  }

  /// One part of two pieces: a key and what comes before it, for example.
  package mutating func append(part first: Span<UInt8>, _ second: Span<UInt8>) {
    append("$")
    append(decimal: UInt64(clamping: first.count + second.count))
    append("\r\n")
    append(first)
    append(second)
    append("\r\n")
  }

  /// A whole number, in decimal digits.
  package mutating func append(part number: Int64) {
    let magnitude = number.magnitude
    var digitCount = number < 0 ? 2 : 1
    var rest = magnitude / 10
    while rest > 0 {
      digitCount += 1
      rest /= 10
    }
    append("$")
    append(decimal: UInt64(clamping: digitCount))
    append("\r\n")
    if number < 0 { append("-") }
    append(decimal: magnitude)
    append("\r\n")
  }
}
