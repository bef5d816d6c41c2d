// One pass over a field name: where it ends, which known field it is, and a hash under which its aliases meet. Names
// are folded for that: A–Z to lower case, other bytes than letters and digits to `-`. Servers behind us read `X_User`
// and `X~User` as `X-User` (T33, T76).

import Bytes

/// What one pass over the bytes of a name or token found.
struct FieldName {
  /// The index behind the last byte that a token may hold.
  var end: Int
  /// Equal for names that are equal when folded.
  var foldedHash: UInt32
  /// The field that the folded name names. Look at ``isAlias`` before trusting it.
  var folded: KnownField
  /// Whether something was in the place of a `-`, so that the name is not the exact one of any known field.
  var isAlias: Bool
  /// The first sixteen bytes, folded and packed.
  var firstWord: UInt64
  var secondWord: UInt64

  /// The field that the name names exactly, in any case.
  @inline(__always)
  var known: KnownField { isAlias ? .other : folded }

  /// Reads a token that begins at `start` and ends before `limit`.
  @inline(__always)
  init(_ input: Span<UInt8>, from start: Int, to limit: Int) {
    // A span of its own: so that the loop's own condition is the bounds check.
    let text = input.extracting(start..<limit)
    var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
    var word: UInt64 = 0
    var marks: UInt8 = 0
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    var count = 0
    var isWhole = false
    // Eight bytes a step while they are letters, digits and hyphens, as in nearly every name.
    while count + 8 <= text.count {
      let eight = PackedBytes(text, at: count)
      let unusual = eight.unusualInName
      if unusual == 0 {
        if count == 0 {
          words.0 = eight.loweredName
        } else if count == 8 {
          words.1 = eight.loweredName
        } else if count == 16 {
          words.2 = eight.loweredName
        }
        state = Self.mixed(state, eight.loweredName)
        count += 8
        continue
      }
      let usualBits = unusual.trailingZeroBitCount & ~7
      if isTokenByte(text[count + usualBits / 8]) { break }
      word = usualBits == 0 ? 0 : eight.loweredName >> UInt64(64 - usualBits)
      count += usualBits / 8
      isWhole = true
      break
    }
    // A byte a step for other names and for the end of the text.
    while !isWhole, count < text.count {
      let folded = ByteTables.foldedToken[Int(text[count])]
      if folded == 0 { break }
      marks |= folded
      word = word << 8 | UInt64(folded & 0x7F)
      count += 1
      if count & 7 == 0 {
        if count == 8 { words.0 = word } else if count == 16 { words.1 = word } else if count == 24 { words.2 = word }
        state = Self.mixed(state, word)
        word = 0
      }
    }
    if count < 8 { words.0 = word } else if count < 16 { words.1 = word } else if count < 24 { words.2 = word }
    state = Self.mixed(state, word) &+ UInt64(truncatingIfNeeded: count)
    end = start + count
    foldedHash = UInt32(truncatingIfNeeded: state ^ state >> 32)
    folded = KnownField.recognised(count: count, words.0, words.1, words.2)
    isAlias = marks & 0x80 != 0
    firstWord = words.0
    secondWord = words.1
  }

  @inline(__always)
  private static func mixed(_ state: UInt64, _ word: UInt64) -> UInt64 {
    let product = (state ^ word) &* 0xD6E8_FEB8_6659_FD93
    return product ^ product >> 32
  }

  // "close", "chunked" and "100-continue", packed as ``KnownField`` packs names.
  static let close: UInt64 = 0x63_6C6F_7365
  static let chunked: UInt64 = 0x63_6875_6E6B_6564
  static let continueFirst: UInt64 = 0x3130_302D_636F_6E74
  static let continueSecond: UInt64 = 0x696E_7565
}

/// The hash of a name under which all of its aliases meet (T33, T76). For names that are tokens. Of anything else only
/// the part before the first byte that no token holds is read.
package func foldedHash(of name: Span<UInt8>) -> UInt32 {
  FieldName(name, from: 0, to: name.count).foldedHash
}

/// The known field that a name names in any of its spellings. ``KnownField/other`` for all else.
package func foldedField(of name: Span<UInt8>) -> KnownField {
  let read = FieldName(name, from: 0, to: name.count)
  return read.end == name.count ? read.folded : .other
}

/// A byte of a name as it counts in comparisons. One that no token may hold is itself.
package func foldedByte(_ byte: UInt8) -> UInt8 {
  let folded = ByteTables.foldedToken[Int(byte)] & 0x7F
  return folded == 0 ? byte : folded
}

/// Whether two names are aliases: equal but for case and for the bytes in the place of `-`. False if either is not a
/// token.
package func foldedEquals(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
  if a.count != b.count { return false }
  for index in a.indices {
    let folded = ByteTables.foldedToken[Int(a[index])] & 0x7F
    if folded == 0 || folded != ByteTables.foldedToken[Int(b[index])] & 0x7F { return false }
  }
  return true
}

/// Whether two runs of bytes are equal but for the case of ASCII letters.
package func equalsIgnoringCase(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
  if a.count != b.count { return false }
  for index in a.indices where lowered(a[index]) != lowered(b[index]) { return false }
  return true
}

@inline(__always)
func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
