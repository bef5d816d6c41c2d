// From verified claims to header fields. Only a ``Caller`` gets here, and only a check makes one.

import Bytes
import Configuration
import JSON
import Tokens

/// What upstreams learn of a caller. Routes that say the same share one, so that lines written for one of them count for all.
final class IdentityRules: Sendable {
  /// `X-User-Id: ` and the claim that follows.
  fileprivate let fields: [(prefix: [UInt8], claim: ClaimPath)]
  fileprivate let payloadPrefix: [UInt8]?

  init(_ identity: Identity) {
    fields = identity.headers.compactMap { header in
      if case .claim(let claim) = header.source { (Array("\(header.name): ".utf8), claim) } else { nil }
    }
    payloadPrefix = identity.payloadHeader.map { Array("\($0): ".utf8) }
  }
}

extension IdentityRules {
  /// Writes the lines for a caller that was proved just now, and keeps them beside it for all requests that follow.
  func keepFields(of caller: Caller) {
    var lines = ByteQueue()
    writeFields(of: caller, into: &lines)
    caller.keep(lines.span, of: self)
  }

  func writeFields(of caller: Caller, into head: inout ByteQueue) {
    if let lines = caller.lines(of: self) { return head.appendPart(caller.bytes, lines) }
    for index in fields.indices {
      guard let claim = caller.claim(fields[index].claim) else { continue }
      let lengthBefore = head.count
      head.append(fields[index].prefix)
      if head.appendClaim(claim, of: caller.claims) {
        head.append("\r\n")
      } else {
        // null says as little as a missing claim: the header is left out.
        head.truncate(to: lengthBefore)
      }
    }
    if let payloadPrefix {
      head.append(payloadPrefix)
      head.appendPayload(of: caller)
      head.append("\r\n")
    }
  }
}

extension CompiledRoute {
  /// From the verified certificate of the client's connection.
  func writeFields(of certificate: ClientCertificateFacts, into head: inout ByteQueue) {
    for index in certificateFields.indices {
      let text =
        switch certificateFields[index].fact {
        case .subject: certificate.subject
        case .alternativeNames: certificate.alternativeNames
        case .thumbprint: certificate.thumbprint
        }
      if text.isEmpty { continue }
      head.append(certificateFields[index].prefix)
      let bytes = Array(text.utf8)
      head.appendEncoded(bytes.span, 0..<bytes.count, keepsCommas: true)
      head.append("\r\n")
    }
  }
}

extension ByteQueue {
  fileprivate mutating func appendPayload(of caller: Caller) {
    if let part = caller.payloadPart { return appendPart(caller.bytes, part) }
    let claims = caller.claims.bytes
    let text = Base64URL.encode(claims.span)
    append(text.span)
  }

  /// A string as it is, a number or boolean as in JSON, a list of those joined by commas, anything else as JSON. What a
  /// field value cannot carry is percent-encoded. So is a comma in a string, since `a,b` and the list of `a` and `b` are
  /// two things (T91). False for null.
  fileprivate mutating func appendClaim(_ index: JSONDocument.Index, of document: JSONDocument) -> Bool {
    switch document.kind(index) {
    case .null: return false
    case .array:
      var isFirst = true
      for element in document.elements(of: index) {
        if !isFirst { append(",") }
        isFirst = false
        appendScalar(element, of: document, keepsCommas: false)
      }
      return !isFirst
    default:
      appendScalar(index, of: document, keepsCommas: document.kind(index) != .string)
      return true
    }
  }

  fileprivate mutating func appendPart(_ bytes: [UInt8], _ range: Range<Int>) { append(bytes.span.extracting(range)) }

  private mutating func appendScalar(_ index: JSONDocument.Index, of document: JSONDocument, keepsCommas: Bool) {
    if document.kind(index) != .string {
      appendEncoded(document.bytes.span, document.rawRange(of: index), keepsCommas: keepsCommas)
    } else if let plain = document.plainStringRange(at: index) {
      appendEncoded(document.bytes.span, plain, keepsCommas: keepsCommas)
    } else if let bytes = document.stringBytes(at: index) {
      appendEncoded(bytes.span, 0..<bytes.count, keepsCommas: keepsCommas)
    }
  }

  /// Visible ASCII and inner spaces stay. Controls, `%`, bytes over 0x7E, spaces at the ends, and most often the comma are
  /// percent-encoded (T35), so that the value can be decoded without doubt.
  fileprivate mutating func appendEncoded(_ document: Span<UInt8>, _ range: Range<Int>, keepsCommas: Bool) {
    let bytes = document.extracting(range)
    if Self.isPlainText(bytes) { return append(bytes) }
    var run = 0
    for index in bytes.indices {
      let byte = bytes[index]
      let isAtEnd = index == 0 || index == bytes.count - 1
      let isPlain =
        byte > 0x20 && byte < 0x7F && byte != 0x25 && (keepsCommas || byte != 0x2C) || byte == 0x20 && !isAtEnd
      if isPlain { continue }
      append(bytes.extracting(run..<index))
      append("%")
      appendHexadecimal(byte >> 4)
      appendHexadecimal(byte & 15)
      run = index + 1
    }
    append(bytes.extracting(run..<bytes.count))
  }

  /// Whether certainly nothing has to be encoded. Without a way out of the loop, so that the compiler takes many bytes a
  /// step.
  private static func isPlainText(_ bytes: Span<UInt8>) -> Bool {
    var found: UInt8 = 0
    for index in bytes.indices {
      let byte = bytes[index]
      found |= (byte < 0x21 ? 1 : 0) | (byte > 0x7E ? 1 : 0) | (byte == 0x25 ? 1 : 0) | (byte == 0x2C ? 1 : 0)
    }
    return found == 0
  }

  private mutating func appendHexadecimal(_ nibble: UInt8) { append(nibble < 10 ? 0x30 + nibble : 0x37 + nibble) }
}
