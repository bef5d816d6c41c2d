// From the target that a client wrote to the one normal form that rules are matched with (RFC 3986 §6.2.2, T39 to T42),
// so that no rule can be walked round by writing a path in another way. It is forwarded only where it is the client's
// path in another spelling of the same segments. What servers read in different ways is refused. Invariant: the normal
// form of a normal form is itself.

package import Bytes

/// The normal form of a request target's path and query. One value serves all requests of a connection.
package struct NormalTarget: ~Copyable {
  /// The normal path, then `?` and the query as it came.
  package private(set) var bytes = ByteQueue()
  /// Bytes of the path: it is the first so many of ``bytes``.
  package private(set) var pathCount = 0
  /// The query without its `?`, nil where there is no `?`.
  package private(set) var query: Range<Int>?
  /// The path's segments in ``bytes``, each without its `;parameters`: routes are matched without them (T40), and they
  /// are forwarded. What follows a final slash is not listed.
  package private(set) var segments: [Range<Int>] = []
  /// Whether the path ends in a slash, as `/` does. Parameters behind it do not count.
  package private(set) var hasTrailingSlash = false
  /// What the path has that servers read in different ways.
  package private(set) var oddities: PathOddities = []
  /// Whether there is a ``plainPath``.
  package private(set) var hasEncodedDelimiter = false
  /// Where a segment has %XX of a delimiter that may appear unencoded, the path with those decoded. A server sees `@`
  /// in `%40`, so a rule for `/users/@me` must hold for that spelling too (T39).
  package private(set) var plainPath = ByteQueue()
  /// The ``segments`` in ``plainPath``.
  package private(set) var plainSegments: [Range<Int>] = []

  // LIMIT: segments of a path: beyond them 400.
  package static let segmentCountMax = 256

  package init() {}

  /// Whether dot segments or empty ones were left out: to a server that keeps them it is another path (T117).
  package var isAltered: Bool { !oddities.isDisjoint(with: [.dotSegments, .emptySegments]) }

  /// Forgets the target and keeps its memory.
  package mutating func reset() {
    bytes.removeAll()
    segments.removeFew()
    pathCount = 0
    query = nil
    hasTrailingSlash = false
    oddities = []
    if hasEncodedDelimiter {
      hasEncodedDelimiter = false
      plainPath.removeAll()
      plainSegments.removeAll(keepingCapacity: true)
    }
  }

  /// Forgets the target and gives its memory back.
  package mutating func releaseStorage() {
    reset()
    bytes.releaseStorage()
    segments = []
    plainPath.releaseStorage()
    plainSegments = []
  }

  /// Takes the path and query of an origin or absolute form. An empty path counts as `/`. Returns why there is no
  /// normal form. The contents are not usable then.
  package mutating func normalize(_ raw: Span<UInt8>) -> TargetError? {
    reset()
    let pathEnd = raw.firstIndex(of: 0x3F) ?? raw.count
    if pathEnd > 0, raw[0] != 0x2F { return .notAPath }
    bytes.reserve(raw.count + 1)
    var index = 0
    while index < pathEnd {
      // The byte at index is the slash in front of a segment.
      if let error = normalizeSegment(raw, &index, pathEnd) { return error }
    }
    if segments.isEmpty, bytes.isEmpty { hasTrailingSlash = true }
    if hasTrailingSlash, !endsInBareParameters { bytes.append(0x2F) }
    pathCount = bytes.count
    if hasEncodedDelimiter { writePlainPath() }
    if pathEnd < raw.count {
      let text = raw.extracting(pathEnd + 1..<raw.count)
      if !isVisibleASCII(text) || text.firstIndex(of: 0x23) != nil { return .byteInvalid }
      query = pathCount + 1..<pathCount + 1 + text.count
      bytes.append(0x3F)
      bytes.append(text)
    }
    return nil
  }

  /// Whether the path ends in `/;parameters`, whose slash is written already.
  private var endsInBareParameters: Bool {
    let start = segments.last?.upperBound ?? 0
    return bytes.count > start && hasParametersBehindSlash
  }

  private var hasParametersBehindSlash = false

  private mutating func writePlainPath() {
    // Taken out while it is written: a span of one property bars changes to the others.
    var plain = ByteQueue()
    swap(&plain, &plainPath)
    var copied = 0
    for index in segments.indices {
      let name = segments[index]
      plain.append(bytes.span.extracting(copied..<name.lowerBound))
      let start = plain.count
      appendWithBareDelimiters(bytes.span.extracting(name), to: &plain)
      plainSegments.append(start..<plain.count)
      copied = name.upperBound
    }
    plain.append(bytes.span.extracting(copied..<pathCount))
    swap(&plain, &plainPath)
  }

  private mutating func note(_ encoded: SegmentWriter.Encoded) {
    if encoded.contains(.delimiter) { hasEncodedDelimiter = true }
    if encoded.contains(.slash) { oddities.insert(.encodedSlash) }
    if encoded.contains(.twiceEncodedSlash) { oddities.insert(.twiceEncodedSlash) }
  }

  /// Reads the segment behind the slash at `index` and leaves `index` at the next slash or the path's end.
  private mutating func normalizeSegment(_ raw: Span<UInt8>, _ index: inout Int, _ pathEnd: Int) -> TargetError? {
    let slash = bytes.count
    bytes.append(0x2F)
    index += 1
    var writer = SegmentWriter(start: slash + 1)
    if let error = writer.write(raw, &index, pathEnd, to: &bytes) { return error }
    if !writer.encoded.isEmpty { note(writer.encoded) }
    let isLast = index == pathEnd
    hasTrailingSlash = false
    hasParametersBehindSlash = false
    let name = writer.start..<(writer.parameters ?? bytes.count)
    switch writer.kind(of: name, in: bytes.span) {
    case .ambiguous: return .emptyParameters
    case .empty:
      if writer.parameters == nil {
        bytes.truncate(to: slash)
        if !isLast { oddities.insert(.emptySegments) }
      } else if isLast {
        hasParametersBehindSlash = true
      } else {
        // Servers that strip parameters first read `/;a/b` as `//b`, which is `/b`.
        return .emptyParameters
      }
      hasTrailingSlash = isLast
    case .dot:
      bytes.truncate(to: slash)
      oddities.insert(.dotSegments)
      hasTrailingSlash = isLast
    case .dotDot:
      guard let parent = segments.popLast() else { return .aboveRoot }
      bytes.truncate(to: parent.lowerBound - 1)
      oddities.insert(.dotSegments)
      hasTrailingSlash = isLast
    case .name:
      if segments.count >= Self.segmentCountMax { return .tooManySegments }
      segments.append(name)
    }
    return nil
  }
}
