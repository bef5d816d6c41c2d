// One line of a head or trailer section as offsets into its bytes, and the reader of such a line (RFC 9112 §5).

/// A field line. All ranges are offsets into the `bytes` of the head or section that it belongs to. Public, as `Bytes`
/// is: only so is it inlined into other modules, which look at each line of each head.
public struct FieldLine: Sendable {
  @usableFromInline var nameStart: UInt32
  @usableFromInline var nameEnd: UInt32
  @usableFromInline var valueStart: UInt32
  @usableFromInline var valueEnd: UInt32
  @usableFromInline var lineEnd: UInt32
  /// The hash under which the name and its aliases meet. See ``foldedHash(of:)``.
  public internal(set) var foldedHash: UInt32
  /// Which field it is, by its exact name in any case: what the gateway itself reads.
  public internal(set) var known: KnownField
  /// Which field a server may take it for, that folds names as CGI does: what decides whether it goes on. What
  /// Connection names fares as Connection does.
  public internal(set) var folded: KnownField

  /// Whether the field belongs to this connection only: by the fixed list in any spelling, or because Connection names
  /// it (RFC 9110 §7.6.1).
  @inlinable
  public var isHopByHop: Bool {
    @inline(__always) get { folded.isHopByHop }
  }

  @inlinable
  public var name: Range<Int> {
    @inline(__always) get { Int(nameStart)..<Int(nameEnd) }
  }

  /// The value without the white space around it.
  @inlinable
  public var value: Range<Int> {
    @inline(__always) get { Int(valueStart)..<Int(valueEnd) }
  }

  /// From the name to behind the CRLF: neighbours touch, so a run of kept lines can be copied at once.
  @inlinable
  public var line: Range<Int> {
    @inline(__always) get { Int(nameStart)..<Int(lineEnd) }
  }
}

/// A field line, or why there is none.
enum FieldLineReading {
  case line(FieldLine)
  case malformed(HeadError)
}

extension FieldLine {
  /// Reads the line whose bytes before the CRLF are `line`. Nothing is repaired (T50): no white space before the colon,
  /// no folding, no empty name, no control in the value but HTAB (T67), and no name that a server behind us might take
  /// for Host, Content-Length or Transfer-Encoding though it is none.
  @inline(__always)
  static func read(_ input: Span<UInt8>, line: Range<Int>) -> FieldLineReading {
    let name = FieldName(input, from: line.lowerBound, to: line.upperBound)
    guard name.end > line.lowerBound, name.end < line.upperBound, input[name.end] == 0x3A else {
      return .malformed(isWhitespace(input[line.lowerBound]) ? .fieldFolded : .fieldNameInvalid)
    }
    if name.isAlias, name.folded.isFramingOrRouting { return .malformed(.framingAmbiguous) }
    var start = name.end + 1
    var end = line.upperBound
    while start < end, isWhitespace(input[start]) { start += 1 }
    while end > start, isWhitespace(input[end - 1]) { end -= 1 }
    if holdsControl(input.extracting(start..<end)) { return .malformed(.fieldValueInvalid) }
    return .line(
      FieldLine(
        nameStart: UInt32(truncatingIfNeeded: line.lowerBound), nameEnd: UInt32(truncatingIfNeeded: name.end),
        valueStart: UInt32(truncatingIfNeeded: start), valueEnd: UInt32(truncatingIfNeeded: end),
        lineEnd: UInt32(truncatingIfNeeded: line.upperBound + 2), foldedHash: name.foldedHash, known: name.known,
        folded: name.folded))
  }
}
