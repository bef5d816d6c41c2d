// What a field value may hold (RFC 9110 §5.5), for bytes received and for values that the configuration sets.

/// Whether `text` is a token (RFC 9110 §5.6.2), as every field name and method is. Empty text is none.
package func isToken(_ text: Span<UInt8>) -> Bool {
  for index in text.indices where !isTokenByte(text[index]) { return false }
  return !text.isEmpty
}

/// Whether `text` can be a field value and be read back unchanged (T52): no control but HTAB, and no white space at
/// either end, where a reader would drop it. Empty text can.
package func isFieldValue(_ text: Span<UInt8>) -> Bool {
  if text.isEmpty { return true }
  if isWhitespace(text[0]) || isWhitespace(text[text.count - 1]) { return false }
  return !holdsControl(text)
}

/// OWS (RFC 9110 §5.6.3).
@inline(__always)
func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// Whether a control other than HTAB is among the bytes.
@inline(__always)
func holdsControl(_ text: Span<UInt8>) -> Bool {
  // A call, for those that are worth it: tokens and cookies.
  if text.count >= 64 { return longTextHoldsControl(text) }
  var found: UInt64 = 0
  var index = 0
  while index + 8 <= text.count {
    found |= PackedBytes(text, at: index).controls
    index += 8
  }
  if index < text.count, text.count >= 8 {
    // The last eight bytes once more, instead of up to seven one by one.
    found |= PackedBytes(text, at: text.count - 8).controls
    index = text.count
  }
  while index < text.count {
    let byte = text[index]
    if byte < 0x20 && byte != 0x09 || byte == 0x7F { return true }
    index += 1
  }
  return found != 0
}

/// Without a way out of the loop, and in bytes alone: so the compiler takes 32 of them a step (a quarter of the
/// instructions that words of eight need, in a token of 900 bytes).
@inline(never)
private func longTextHoldsControl(_ text: Span<UInt8>) -> Bool {
  var found: UInt8 = 0
  for index in text.indices {
    let byte = text[index]
    found |= (byte < 0x20 ? 1 : 0) & (byte != 0x09 ? 1 : 0) | (byte == 0x7F ? 1 : 0)
  }
  return found != 0
}

/// Whether a control or a space is among the bytes: none may be in a request target.
@inline(__always)
func holdsControlOrSpace(_ text: Span<UInt8>) -> Bool {
  var found: UInt64 = 0
  var index = 0
  while index + 8 <= text.count {
    found |= PackedBytes(text, at: index).controlsAndSpaces
    index += 8
  }
  while index < text.count {
    let byte = text[index]
    if byte <= 0x20 || byte == 0x7F { return true }
    index += 1
  }
  return found != 0
}

/// Whether all bytes are visible ASCII, which is all that a URI is made of (RFC 3986 §2).
@inline(__always)
func isVisibleASCII(_ text: Span<UInt8>) -> Bool {
  var found: UInt64 = 0
  var index = 0
  while index + 8 <= text.count {
    let packed = PackedBytes(text, at: index)
    found |= packed.controlsAndSpaces | packed.beyondASCII
    index += 8
  }
  while index < text.count {
    if text[index] &- 0x21 >= 0x5E { return false }
    index += 1
  }
  return found == 0
}
