// What the keys that let unusual paths through require of their route.

extension Reading {
  func checkPathKeys(_ route: Route, section: Section) {
    if let node = section["path"], route.encodedSlash == .refuse, !section.refused.contains("encoded_slash") {
      let what =
        PathRules.hasEncodedSlash(route.path)
        ? "an encoded '/' or '\\'"
        : PathRules.hasTwiceEncodedSlash(route.path) ? "a '/', '\\' or '%' that is encoded twice" : nil
      if let what {
        error(
          node.position,
          "\(route.path.description.quoted) contains \(what), and such requests are refused: "
            + "write encoded_slash: keep, or another path")
      }
    }
    if !route.isMerged { checkUnmerged(route, at: section.keyPosition("merge_slashes"), section) }
  }

  /// The field is a listener's or the route's.
  func checkStrictTransport(_ route: Route, section: Section) {
    let rules = route.responseHeaders
    guard names.hasStrictTransport, let node = section["response_headers"],
      (rules.set + rules.add).contains(where: { Self.isStrictTransport($0.name) })
    else { return }
    error(node.position, "a listener's 'hsts' already sets Strict-Transport-Security: remove one")
  }

  static func isStrictTransport(_ name: String) -> Bool { name.lowercased() == "strict-transport-security" }

  private func checkUnmerged(_ route: Route, at position: SourcePosition, _ section: Section) {
    if !section.has("upstream"), !section.has("upstreams") {
      error(position, "'merge_slashes: false' requires an upstream, and this route has none: remove it")
    } else if !section.refused.contains("path"), !route.path.isPrefix {
      let path = PathPattern(segments: route.path.segments, isPrefix: true, hasTrailingSlash: false)
      error(
        position,
        "'merge_slashes: false' keeps what '/*' matches, and this route's path does not end in it: "
          + "remove it, or write \(path.description.quoted)")
    } else if !route.rewrite.path.isEmpty {
      error(position, "'merge_slashes: false' has no effect with 'rewrite.path', which replaces the path: remove one")
    }
  }
}
