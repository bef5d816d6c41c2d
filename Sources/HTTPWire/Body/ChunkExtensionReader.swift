// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) (RFC 9112 §7.1.1), a byte at a time. What
// the extensions say is dropped. They are read only so that nothing else can hide in them.

struct ChunkExtensionReader: Sendable {
  private enum State {
    case beforeSemicolon, beforeSemicolonSpaced, beforeName, name, afterName, beforeValue, value, quoted, quotedPair
  }

  private var state = State.beforeSemicolon

  /// Whether the line may end here: behind a whole extension, and not behind white space.
  var mayEnd: Bool {
    switch state {
    case .beforeSemicolon, .name, .value: true
    default: false
    }
  }

  /// Whether the line may end here if white space before its end counts for nothing.
  var mayEndSpaced: Bool { if case .beforeSemicolonSpaced = state { true } else { false } }

  /// Takes a byte other than CR and LF. False if it cannot be here.
  mutating func take(_ byte: UInt8) -> Bool {
    switch state {
    case .beforeSemicolon, .beforeSemicolonSpaced: return takeSeparator(byte)
    case .beforeName:
      if isWhitespace(byte) { return true }
      state = .name
      return isTokenByte(byte)
    case .name:
      if isTokenByte(byte) { return true }
      state = .afterName
      return takeAfterName(byte)
    case .afterName: return takeAfterName(byte)
    case .beforeValue:
      if isWhitespace(byte) { return true }
      state = byte == 0x22 ? .quoted : .value
      return byte == 0x22 || isTokenByte(byte)
    case .value: return isTokenByte(byte) || takeSeparator(byte)
    case .quoted:
      if byte == 0x22 {
        state = .beforeSemicolon
      } else if byte == 0x5C {
        state = .quotedPair
      }
      return Self.isText(byte)
    case .quotedPair:
      state = .quoted
      return Self.isText(byte)
    }
  }

  private mutating func takeSeparator(_ byte: UInt8) -> Bool {
    state = byte == 0x3B ? .beforeName : .beforeSemicolonSpaced
    return byte == 0x3B || isWhitespace(byte)
  }

  private mutating func takeAfterName(_ byte: UInt8) -> Bool {
    if byte == 0x3D {
      state = .beforeValue
      return true
    }
    if byte == 0x3B {
      state = .beforeName
      return true
    }
    return isWhitespace(byte)
  }

  /// HTAB, SP, VCHAR and obs-text.
  private static func isText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == 0x09 }
}
