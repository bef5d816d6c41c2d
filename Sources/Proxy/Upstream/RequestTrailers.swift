// Which trailers of a request go to the server: they never carry what a head may not (T36).

import Bytes
import HTTPWire

extension RequestBody {
  /// The trailers that go on, as field lines: only fields that mean nothing to a gateway, and no identity.
  func appendTrailers(_ route: CompiledRoute?, _ snapshot: Snapshot, to allowed: inout ByteQueue) {
    let bytes = trailers.bytes.span
    for index in trailers.fields.indices {
      let field = trailers.fields[index]
      guard field.folded == .other, !snapshot.ownsField(field, bytes.extracting(field.name)),
        !(route?.cutsField(field, bytes.extracting(field.name)) ?? false)
      else { continue }
      allowed.append(bytes.extracting(field.line))
    }
  }
}

extension Snapshot {
  /// Whether a field is the gateway's to set, whatever the route.
  fileprivate func ownsField(_ field: FieldLine, _ name: Span<UInt8>) -> Bool {
    identityDrops.contains(name, hash: field.foldedHash) || neverForwarded.contains(name, hash: field.foldedHash)
      || trust.fields.contains(name, hash: field.foldedHash)
  }
}

extension CompiledRoute {
  /// Whether the route takes a field out of requests.
  fileprivate func cutsField(_ field: FieldLine, _ name: Span<UInt8>) -> Bool {
    requestFields.drops.contains(name, hash: field.foldedHash)
      || token.headerSources.contains(name, hash: field.foldedHash)
  }
}
