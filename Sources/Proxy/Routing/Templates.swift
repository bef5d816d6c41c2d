// Filling what a request brings into the templates of its route: segments of the path, in their normal form, which
// holds no control, no space and no slash.

import Bytes
import Configuration
import HTTPWire

/// A field line whose value is a template.
struct FieldTemplate: Sendable {
  /// The name, the colon and a space.
  let prefix: [UInt8]
  let value: [TemplatePart]
}

extension Exchange {
  func fill(_ templates: [FieldTemplate], _ route: CompiledRoute, into output: inout ByteQueue) {
    for index in templates.indices {
      output.append(templates[index].prefix)
      fill(templates[index].value, route, into: &output)
      output.append("\r\n")
    }
  }

  func fill(_ template: [TemplatePart], _ route: CompiledRoute, into output: inout ByteQueue) {
    for part in template {
      switch part {
      case .text(let text): output.append(text: text)
      case .parameter(let name):
        if let number = snapshot.routeTable.captureIndex(of: name, route: route.index),
          number < routeMatch.captures.count
        {
          Self.append(routeMatch.captures[number], of: target, to: &output)
        }
      case .rest: Self.append(routeMatch.rest, of: target, to: &output)
      case .host: if let authority = head.authority { Self.appendHost(authority, of: head, to: &output) }
      }
    }
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
}
