// Eight bytes in one word, so that names and values are looked at eight at a time. Every operation keeps each byte's
// arithmetic within its own eight bits: the top bit is taken out before anything is added.

/// Eight bytes. The first is the lowest.
struct PackedBytes {
  var word: UInt64

  /// The eight bytes at `index`, which must all be there. The compiler makes one load of it.
  @inline(__always)
  init(_ text: Span<UInt8>, at index: Int) {
    let chunk = text.extracting(index..<index + 8)
    word =
      UInt64(chunk[0]) | UInt64(chunk[1]) << 8 | UInt64(chunk[2]) << 16 | UInt64(chunk[3]) << 24
      | UInt64(chunk[4]) << 32 | UInt64(chunk[5]) << 40 | UInt64(chunk[6]) << 48 | UInt64(chunk[7]) << 56
  }

  private static let tops: UInt64 = 0x8080_8080_8080_8080
  private static let ones: UInt64 = 0x0101_0101_0101_0101

  /// The top bit of each byte that is at least `bound`, which is at most 0x80, if the byte's own top bit is not set.
  @inline(__always)
  private static func atLeast(_ sevenBits: UInt64, _ bound: UInt64) -> UInt64 { sevenBits &+ ones &* (0x80 &- bound) }

  /// The top bit of each byte that is not a letter, a digit or a hyphen: all that nearly every field name is made of.
  @inline(__always)
  var unusualInName: UInt64 { unusual(besides: 0x2D...0x2D) }

  /// The top bit of each byte that is not a letter, a digit, a hyphen or a dot: all that nearly every host is made of.
  @inline(__always)
  var unusualInHost: UInt64 { unusual(besides: 0x2D...0x2E) }

  @inline(__always)
  private func unusual(besides others: ClosedRange<UInt64>) -> UInt64 {
    let seven = word & ~Self.tops
    let lowered = seven | Self.ones &* 0x20
    let letters = Self.atLeast(lowered, 0x61) & ~Self.atLeast(lowered, 0x7B)
    let digits = Self.atLeast(seven, 0x30) & ~Self.atLeast(seven, 0x3A)
    let marks = Self.atLeast(seven, others.lowerBound) & ~Self.atLeast(seven, others.upperBound + 1)
    return ~((letters | digits | marks) & ~word) & Self.tops
  }

  /// The top bit of each byte that is a control other than HTAB.
  @inline(__always)
  var controls: UInt64 {
    let seven = word & ~Self.tops
    let low = ~Self.atLeast(seven, 0x20) & Self.atLeast(seven ^ Self.ones &* 0x09, 1)
    return (low | Self.atLeast(seven, 0x7F)) & ~word & Self.tops
  }

  /// The top bit of each byte that is a control or a space.
  @inline(__always)
  var controlsAndSpaces: UInt64 {
    let seven = word & ~Self.tops
    return (~Self.atLeast(seven, 0x21) | Self.atLeast(seven, 0x7F)) & ~word & Self.tops
  }

  /// The top bit of each byte that has it.
  @inline(__always)
  var beyondASCII: UInt64 { word & Self.tops }

  /// Letters, digits and hyphens in lower case, the first byte the highest.
  @inline(__always)
  var loweredName: UInt64 { (word | Self.ones &* 0x20).byteSwapped }
}
