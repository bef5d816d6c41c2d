// `rewrite` of a route, prepared: how its paths are changed, and what follows for other fields.

import Configuration

struct CompiledRewrite: Sendable {
  /// The template that replaces the path. Empty without one.
  let path: [TemplatePart]
  /// Segments of the path that `strip_prefix` takes away. The route's own path begins with them.
  let strippedSegmentCount: Int
  /// Both without a slash at their ends.
  let stripPrefix: [UInt8]
  let addPrefix: [UInt8]
  let responses: AnswerRewriting
  /// `Destination` is changed as the path is.
  let mapsDestination: Bool
  /// Whether the upstream gets X-Forwarded-Prefix, of which the file says nothing else.
  let isPrefixTold: Bool

  init(_ rewrite: Rewrite, _ requestRules: HeaderRules) {
    path = rewrite.path
    stripPrefix = Self.prefix(rewrite.stripPrefix)
    strippedSegmentCount = stripPrefix.count { $0 == 0x2F }
    addPrefix = Self.prefix(rewrite.addPrefix)
    responses =
      switch rewrite.mapsResponses {
      case true: .all
      case false: .off
      case nil: .ownAddresses
      }
    mapsDestination = rewrite.mapsDestination
    let ruled = (requestRules.set + requestRules.add).map(\.name) + requestRules.remove
    isPrefixTold = !stripPrefix.isEmpty && !ruled.contains { $0.lowercased() == Self.prefixHeader }
  }

  private static let prefixHeader = "x-forwarded-prefix"

  /// Fields of clients that the gateway writes in their place.
  var ownNames: [String] { (isPrefixTold ? [Self.prefixHeader] : []) + (mapsDestination ? ["destination"] : []) }

  private static func prefix(_ text: String?) -> [UInt8] {
    var bytes = Array((text ?? "").utf8)
    while bytes.last == 0x2F { bytes.removeLast() }
    return bytes
  }
}
