// Values of a request on their way into its line: those that the file names beside the fields. What a request does not
// have, or has twice, is absent.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

extension Exchange {
  func setValues(_ values: [LoggedValue]) {
    for index in values.indices {
      switch values[index] {
      case .segment(let name):
        guard let range = segment(name) else { continue }
        setValue(index, request.target.bytes.span, range)
      case .request(.claim(let path)):
        // Only of a caller that was proved: what another token says is anybody's word.
        if let caller, let claim = caller.claim(path) { setClaim(claim, of: caller.claims, index) }
      case .request(.header(let name)):
        guard let range = request.head.search(header: name.utf8.span).range else { continue }
        setValue(index, request.head.bytes.span, range)
      case .request(.query(let name)):
        // The query of a target that was refused may be in any form.
        guard route != nil, let range = request.target.search(query: name.utf8.span).range else { continue }
        setValue(index, request.target.bytes.span, range)
      case .request(.tls(let fact)):
        guard let text = downstream?.client.security?.certificate?.text(of: fact) else { continue }
        worker.logEntry.set(value: index, text.utf8.span)
      // No configuration has these.
      case .request(.clientIP), .request(.cookie): break
      }
    }
  }

  /// Where in the target the segment is.
  private func segment(_ name: String) -> Range<Int>? {
    guard let route, let number = snapshot.routeTable.captureIndex(of: name, route: route.index),
      number < request.match.captures.count
    else { return nil }
    return request.match.captures[number]
  }

  /// A string as it is, anything else as JSON.
  private func setClaim(_ claim: JSONDocument.Index, of claims: JSONDocument, _ index: Int) {
    switch claims.kind(claim) {
    case .null: break
    case .string:
      guard let text = claims.stringBytes(at: claim) else { return }
      worker.logEntry.set(value: index, text.span)
    case .object, .array, .integer, .number, .true, .false:
      let bytes = claims.bytes
      setValue(index, bytes.span, claims.rawRange(of: claim))
    }
  }

  private func setValue(_ index: Int, _ bytes: Span<UInt8>, _ range: Range<Int>) {
    worker.logEntry.set(value: index, bytes.extracting(range))
  }
}
