// Step 1 and 2: the token's size, its three parts, strict base64url, and two JSON objects (RFC 7515 §5.2, §7.1).

import Bytes
import JSON

enum CompactFormCheck {
  /// A header that was read before. An issuer writes the same one into most of its tokens, byte for byte, and what a
  /// text means does not change.
  struct KnownHeader {
    var text: [UInt8] = []
    var document: JSONDocument?
  }

  /// Takes the token apart. Refuses `token_too_large` and `token_malformed`.
  static func parse(
    _ token: Span<UInt8>, byteCountMax: Int, known: inout KnownHeader
  ) throws(TokenRefusal) -> UnverifiedToken {
    // LIMIT: a longer token is not even looked at.
    if token.count > byteCountMax { throw .tokenTooLarge }
    // T14: exactly two dots. A JWE has four. A third one would are in the signature, where base64url refuses it.
    guard let firstDot = token.firstIndex(of: UInt8(ascii: ".")),
      let secondDot = token.firstIndex(of: UInt8(ascii: "."), from: firstDot + 1)
    else { throw .tokenMalformed }
    let headerPart = 0..<firstDot
    let payloadPart = firstDot + 1..<secondDot
    let signaturePart = secondDot + 1..<token.count
    if headerPart.isEmpty || payloadPart.isEmpty || signaturePart.isEmpty { throw .tokenMalformed }
    // T13: strict, or the same token could be written in several ways.
    guard let signature = Base64URL.decode(token.extracting(signaturePart)) else { throw .tokenMalformed }
    let header = try readHeader(token.extracting(headerPart), known: &known)
    let payload = try readObject(token.extracting(payloadPart))
    return UnverifiedToken(
      headerPart: headerPart, payloadPart: payloadPart, signaturePart: signaturePart, header: header, payload: payload,
      signature: signature)
  }

  private static func readHeader(
    _ part: Span<UInt8>, known: inout KnownHeader
  ) throws(TokenRefusal) -> JSONDocument {
    if let document = known.document, part.equals(known.text) { return document }
    let header = try readObject(part)
    try HeaderCheck.checkCritical(header)
    // Only what passed is remembered. LIMIT: and only what is as short as honest headers are.
    if part.count <= 512 { known = KnownHeader(text: part.copied(), document: header) }
    return header
  }

  /// T12: duplicate members, depth, UTF-8, a byte order mark and what follows the object are the reader's to refuse.
  private static func readObject(_ part: Span<UInt8>) throws(TokenRefusal) -> JSONDocument {
    guard let bytes = Base64URL.decode(part) else { throw .tokenMalformed }
    let document: JSONDocument
    // LIMIT: what is in a long token beyond some names of groups is text, not more members.
    let limits = JSONLimits(nodeCountMax: max(4096, bytes.count / 16))
    do { document = try JSONDocument(bytes, limits: limits) } catch { throw .tokenMalformed }
    guard document.kind(document.root) == .object else { throw .tokenMalformed }
    return document
  }
}
