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

extension Exchange {
  /// Writes the lines for a caller that was proved just now, and keeps them beside it for all requests that follow.
  func keepIdentityFields(of caller: Caller, _ rules: IdentityRules) {
    upstreamHead.removeAll()
    writeIdentityFields(of: caller, rules)
    caller.keep(upstreamHead.span, of: rules)
    upstreamHead.removeAll()
  }

  func writeIdentityFields(of caller: Caller, _ rules: IdentityRules) {
    if let lines = caller.lines(of: rules) { return appendPart(caller.bytes, lines) }
    for index in rules.fields.indices {
      guard let claim = caller.claim(rules.fields[index].claim) else { continue }
      let lengthBefore = upstreamHead.count
      upstreamHead.append(rules.fields[index].prefix)
      if appendClaim(claim, of: caller.claims) {
        upstreamHead.append("\r\n")
      } else {
        // null says as little as a missing claim: the header is left out.
        upstreamHead.truncate(to: lengthBefore)
      }
    }
    if let prefix = rules.payloadPrefix {
      upstreamHead.append(prefix)
      appendPayload(of: caller)
      upstreamHead.append("\r\n")
    }
  }

  private func appendPayload(of caller: Caller) {
    if let part = caller.payloadPart { return appendPart(caller.bytes, part) }
    let claims = caller.claims.bytes
    let text = Base64URL.encode(claims.span)
    upstreamHead.append(text.span)
  }

  /// From the verified certificate of the client's connection; without one, nothing.
  func writeCertificateFields(_ route: CompiledRoute) {
    guard !route.certificateFields.isEmpty, let certificate = downstream?.client.security?.certificate else { return }
    for index in route.certificateFields.indices {
      let text =
        switch route.certificateFields[index].fact {
        case .subject: certificate.subject
        case .alternativeNames: certificate.alternativeNames
        case .thumbprint: certificate.thumbprint
        }
      if text.isEmpty { continue }
      upstreamHead.append(route.certificateFields[index].prefix)
      let bytes = Array(text.utf8)
      appendEncoded(bytes.span, 0..<bytes.count, keepsCommas: true)
      upstreamHead.append("\r\n")
    }
  }

  /// A string as it is, a number or boolean as in JSON, a list of those joined by commas, anything else as JSON; with
  /// everything percent-encoded that a field value cannot carry. A comma in a string is, too: `a,b` and the list of `a` and
  /// `b` are two things (T91). False for null.
  private func appendClaim(_ index: JSONDocument.Index, of document: JSONDocument) -> Bool {
    switch document.kind(index) {
    case .null: return false
    case .array:
      var isFirst = true
      for element in document.elements(of: index) {
        if !isFirst { upstreamHead.append(",") }
        isFirst = false
        appendScalar(element, of: document, keepsCommas: false)
      }
      return !isFirst
    default:
      appendScalar(index, of: document, keepsCommas: document.kind(index) != .string)
      return true
    }
  }

  private func appendPart(_ bytes: [UInt8], _ range: Range<Int>) { upstreamHead.append(bytes.span.extracting(range)) }

  private func appendScalar(_ index: JSONDocument.Index, of document: JSONDocument, keepsCommas: Bool) {
    if document.kind(index) != .string {
      appendEncoded(document.bytes.span, document.rawRange(of: index), keepsCommas: keepsCommas)
    } else if let plain = document.plainStringRange(at: index) {
      appendEncoded(document.bytes.span, plain, keepsCommas: keepsCommas)
    } else if let bytes = document.stringBytes(at: index) {
      appendEncoded(bytes.span, 0..<bytes.count, keepsCommas: keepsCommas)
    }
  }

  /// Visible ASCII and inner spaces stay; controls, `%`, bytes over 0x7E, spaces at the ends, and most often the comma are
  /// percent-encoded (T35), so that the value can be decoded without doubt.
  private func appendEncoded(_ document: Span<UInt8>, _ range: Range<Int>, keepsCommas: Bool) {
    let bytes = document.extracting(range)
    if isPlainText(bytes) { return upstreamHead.append(bytes) }
    var run = 0
    for index in bytes.indices {
      let byte = bytes[index]
      let isAtEnd = index == 0 || index == bytes.count - 1
      let isPlain =
        byte > 0x20 && byte < 0x7F && byte != 0x25 && (keepsCommas || byte != 0x2C) || byte == 0x20 && !isAtEnd
      if isPlain { continue }
      upstreamHead.append(bytes.extracting(run..<index))
      upstreamHead.append("%")
      appendHexadecimal(byte >> 4)
      appendHexadecimal(byte & 15)
      run = index + 1
    }
    upstreamHead.append(bytes.extracting(run..<bytes.count))
  }

  /// Whether certainly nothing has to be encoded. Without a way out of the loop, so that the compiler takes many bytes a
  /// step.
  private func isPlainText(_ bytes: Span<UInt8>) -> Bool {
    var found: UInt8 = 0
    for index in bytes.indices {
      let byte = bytes[index]
      found |= (byte < 0x21 ? 1 : 0) | (byte > 0x7E ? 1 : 0) | (byte == 0x25 ? 1 : 0) | (byte == 0x2C ? 1 : 0)
    }
    return found == 0
  }

  private func appendHexadecimal(_ nibble: UInt8) { upstreamHead.append(nibble < 10 ? 0x30 + nibble : 0x37 + nibble) }
}
