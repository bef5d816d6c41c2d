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

/// Where a value is written, which says how it is encoded.
enum ValuePlace {
  /// A header, as identity headers are written.
  case header
  /// A path or a URL.
  case url
}

extension Exchange {
  /// A header is left out if it has a value that the request does not have.
  func fill(_ templates: [FieldTemplate], _ route: CompiledRoute, into output: inout ByteQueue) {
    for index in templates.indices {
      let countBefore = output.count
      output.append(templates[index].prefix)
      if fill(templates[index].value, route, in: .header, into: &output) {
        output.append("\r\n")
      } else {
        output.truncate(to: countBefore)
      }
    }
  }

  /// False if the request does not have a value, or has one that cannot be written there. What was written is of no use
  /// then.
  func fill(
    _ template: [TemplatePart], _ route: CompiledRoute, in place: ValuePlace, into output: inout ByteQueue
  ) -> Bool {
    for part in template {
      switch part {
      case .text(let text): output.append(text: text)
      case .parameter(let name):
        if let number = snapshot.routeTable.captureIndex(of: name, route: route.index),
          number < request.match.captures.count
        {
          Self.append(request.match.captures[number], of: request.target, to: &output)
        }
      case .rest: Self.append(request.match.rest, of: request.target, to: &output)
      case .host:
        if let authority = request.head.authority { Self.appendHost(authority, of: request.head, to: &output) }
      case .value(let value): if !append(value, in: place, to: &output) { return false }
      }
    }
    return true
  }

  private static func append(_ range: Range<Int>, of target: borrowing NormalTarget, to output: inout ByteQueue) {
    output.append(target.bytes.span.extracting(range))
  }

  /// The request's host as a URL has it: without a port, an IPv6 address in its brackets.
  private static func appendHost(
    _ authority: Range<Int>, of head: borrowing RequestHead, to output: inout ByteQueue
  ) {
    let text = head.bytes.span.extracting(authority)
    let host = hostRange(of: text)
    let isBracketed = host.lowerBound == 1
    if isBracketed { output.append("[") }
    output.append(text.extracting(host))
    if isBracketed { output.append("]") }
  }

  // MARK: Values

  private func append(_ value: RequestValue, in place: ValuePlace, to output: inout ByteQueue) -> Bool {
    switch value {
    case .clientIP:
      guard let address = clientAddress, !address.isUnix else { return false }
      let text = address.text
      return output.append(value: text.utf8.span, in: place)
    case .claim(let path):
      guard let caller, let claim = caller.claim(path) else { return false }
      return Self.append(claim, of: caller.claims, in: place, to: &output)
    case .cookie(let name):
      guard let range = request.head.search(cookie: name.utf8.span).range else { return false }
      return Self.append(range, of: request.head, in: place, to: &output)
    case .header(let name):
      guard let range = request.head.search(header: name.utf8.span).range else { return false }
      return Self.append(range, of: request.head, in: place, to: &output)
    case .query(let name):
      guard let range = request.target.search(query: name.utf8.span).range else { return false }
      return Self.append(range, of: request.target, in: place, to: &output)
    case .tls(let fact):
      guard let text = downstream?.client.security?.certificate?.text(of: fact) else { return false }
      return output.append(value: text.utf8.span, in: place)
    }
  }

  private static func append(
    _ range: Range<Int>, of head: borrowing RequestHead, in place: ValuePlace, to output: inout ByteQueue
  ) -> Bool {
    output.append(value: head.bytes.span.extracting(range), in: place)
  }

  private static func append(
    _ range: Range<Int>, of target: borrowing NormalTarget, in place: ValuePlace, to output: inout ByteQueue
  ) -> Bool {
    output.append(value: target.bytes.span.extracting(range), in: place)
  }

  /// In a header as identity headers have claims. A list or an object is no part of a path.
  private static func append(
    _ claim: JSONDocument.Index, of claims: JSONDocument, in place: ValuePlace, to output: inout ByteQueue
  ) -> Bool {
    if place == .header {
      let countBefore = output.count
      return output.append(claim: claim, of: claims) && output.count - countBefore <= ByteQueue.valueByteCountMax
    }
    switch claims.kind(claim) {
    case .string:
      guard let bytes = claims.stringBytes(at: claim) else { return false }
      return output.append(value: bytes.span, in: place)
    case .integer, .number, .true, .false:
      return output.append(value: claims.bytes.span.extracting(claims.rawRange(of: claim)), in: place)
    case .array, .object, .null: return false
    }
  }
}

extension ByteQueue {
  // LIMIT: a longer value is none, so that one header of a client does not become many.
  fileprivate static var valueByteCountMax: Int { 4096 }

  fileprivate mutating func append(value bytes: Span<UInt8>, in place: ValuePlace) -> Bool {
    guard !bytes.isEmpty, bytes.count <= Self.valueByteCountMax else { return false }
    switch place {
    case .header:
      append(fieldValue: bytes, keepsCommas: true)
      return true
    case .url: return append(segment: bytes)
    }
  }
}
