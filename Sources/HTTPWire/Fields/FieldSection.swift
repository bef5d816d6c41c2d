// A run of field lines with its own bytes: the trailer section of a chunked body (RFC 9112 §7.1.2).

package import Bytes

/// The trailers of a message. They come from the peer: whatever identifies, authenticates or routes is not taken from
/// them (T36).
package struct FieldSection: ~Copyable {
  /// The lines with their CRLFs, without the empty line that ends them. All ranges are offsets here.
  package internal(set) var bytes = ByteQueue()
  package internal(set) var fields: [FieldLine] = []

  package init() {}

  /// Forgets the fields and keeps their memory.
  package mutating func reset() {
    bytes.removeAll()
    if !fields.isEmpty { fields.removeAll(keepingCapacity: true) }
  }

  /// Forgets the fields and gives their memory back.
  package mutating func releaseStorage() {
    bytes.releaseStorage()
    fields = []
  }

  /// Reads the line that ends the bytes so far and begins at `start`, its CRLF included.
  mutating func readLastLine(from start: Int, limits: HeadLimits) -> HeadError? {
    if fields.count >= limits.fieldCountMax { return .tooManyFields }
    switch FieldLine.read(bytes.span, line: start..<bytes.count - 2) {
    case .malformed(let error): return error
    case .line(let field):
      // A length or a host that comes behind the content contradicts the head or means nothing (RFC 9110 §6.5.1).
      if field.known.isFramingOrRouting { return .trailerFieldForbidden }
      fields.append(field)
      return nil
    }
  }
}
