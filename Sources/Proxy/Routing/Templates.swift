// Filling what a request brings into the templates of its route: values of the request, and segments of the path in
// their normal form, which contains no control, no space and no slash.
//
// Invariant: whatever a client or an issuer wrote, it ends neither a header line nor a segment of a path.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

/// A field line whose value is a template.
struct FieldTemplate: Sendable {
  /// The name, the colon and a space.
  let prefix: [UInt8]
  let value: [TemplatePart]
}

/// How a value is encoded, which depends on where it is written.
enum ValueEncoding {
  /// Of a header, as identity headers are written.
  case header
  /// Of a path or a URL.
  case url
}

/// What templates are filled from beside the request.
struct TemplateContext {
  let route: CompiledRoute
  let snapshot: Snapshot
  let client: Client?
  let caller: Caller?
}

extension ClientRequest {
  /// A header is left out if it has a value that the request does not have.
  func fill(_ templates: [FieldTemplate], _ context: TemplateContext, into output: inout ByteQueue) {
    for index in templates.indices {
      let countBefore = output.count
      output.append(templates[index].prefix)
      if fill(templates[index].value, context, as: .header, into: &output) {
        output.append("\r\n")
      } else {
        output.truncate(to: countBefore)
      }
    }
  }

  /// False if the request does not have a value, or has one that cannot be written there. What was written is of no use
  /// then.
  func fill(
    _ template: [TemplatePart], _ context: TemplateContext, as encoding: ValueEncoding, into output: inout ByteQueue
  ) -> Bool {
    for part in template {
      switch part {
      case .text(let text): output.append(text: text)
      case .parameter(let name):
        if let number = context.snapshot.routeTable.captureIndex(of: name, route: context.route.index),
          number < match.captures.count
        {
          output.append(target.bytes.span.extracting(match.captures[number]))
        }
      case .rest: output.append(target.bytes.span.extracting(match.rest))
      case .host: head.appendHost(to: &output)
      case .value(let value): if !append(value, context, as: encoding, to: &output) { return false }
      }
    }
    return true
  }

  private func append(
    _ value: RequestValue, _ context: TemplateContext, as encoding: ValueEncoding, to output: inout ByteQueue
  ) -> Bool {
    switch value {
    case .clientIP:
      guard let address = peer.address(of: context.client), !address.isUnix else { return false }
      let text = address.text
      return output.append(value: text.utf8.span, as: encoding)
    case .claim(let path):
      guard let caller = context.caller, let claim = caller.claim(path) else { return false }
      return output.append(value: claim, of: caller.claims, as: encoding)
    case .cookie(let name):
      guard let range = head.search(cookie: name.utf8.span).range else { return false }
      return output.append(value: head.bytes.span.extracting(range), as: encoding)
    case .header(let name):
      guard let range = head.search(header: name.utf8.span).range else { return false }
      return output.append(value: head.bytes.span.extracting(range), as: encoding)
    case .query(let name):
      guard let range = target.search(query: name.utf8.span).range else { return false }
      return output.append(value: target.bytes.span.extracting(range), as: encoding)
    case .tls(let fact):
      guard let text = context.client?.security?.certificate?.text(of: fact) else { return false }
      return output.append(value: text.utf8.span, as: encoding)
    }
  }
}

extension RequestHead {
  /// The request's host as a URL has it: without a port, an IPv6 address in its brackets.
  func appendHost(to output: inout ByteQueue) {
    guard let authority else { return }
    let text = bytes.span.extracting(authority)
    let host = hostRange(of: text)
    let isBracketed = host.lowerBound == 1
    if isBracketed { output.append("[") }
    output.append(text.extracting(host))
    if isBracketed { output.append("]") }
  }
}

extension ByteQueue {
  // LIMIT: a longer value is none, so that one header of a client does not become many.
  private static var valueByteCountMax: Int { 4096 }

  fileprivate mutating func append(value bytes: Span<UInt8>, as encoding: ValueEncoding) -> Bool {
    guard !bytes.isEmpty, bytes.count <= Self.valueByteCountMax else { return false }
    switch encoding {
    case .header:
      append(fieldValue: bytes, keepsCommas: true)
      return true
    case .url: return append(segment: bytes)
    }
  }

  /// In a header as identity headers have claims. A list or an object is no part of a path.
  fileprivate mutating func append(
    value claim: JSONDocument.Index, of claims: JSONDocument, as encoding: ValueEncoding
  ) -> Bool {
    if encoding == .header {
      let countBefore = count
      return append(claim: claim, of: claims) && count - countBefore <= Self.valueByteCountMax
    }
    switch claims.kind(claim) {
    case .string:
      guard let bytes = claims.stringBytes(at: claim) else { return false }
      return append(value: bytes.span, as: encoding)
    case .integer, .number, .true, .false:
      return append(value: claims.bytes.span.extracting(claims.rawRange(of: claim)), as: encoding)
    case .array, .object, .null: return false
    }
  }
}
