// What a look-up in the route table leaves behind: which route, and where in the path its captures lie. One value is
// kept per connection and used again for every request, so that a look-up allocates nothing once warm.
//
// Invariant: every range lies inside the path that the look-up was given.

/// How a look-up ended.
package enum RouteResult: Equatable, Sendable {
  /// Index into the routes that the table was built from.
  case route(Int)
  /// No route takes this host and path with these fields: 404. Nothing is open by default (T46).
  case notFound
  /// Routes take host, path and fields, but none of them this method: 405 with ``RouteTable/appendAllow(of:to:)``.
  case methodNotAllowed
}

/// The reusable result of ``RouteTable/match(host:path:segments:hasTrailingSlash:method:fields:into:)``.
package struct RouteMatch: ~Copyable {
  /// Where in the path each `{parameter}` of the matched route lies, in the pattern's order. Without `;parameters` of
  /// the segment (T40).
  package internal(set) var captures: [Range<Int>] = []
  /// What the `/*` of a prefix route took: from behind the slash to the path's end. Empty for other routes.
  package internal(set) var rest: Range<Int> = 0..<0

  /// Of the listener that the request came by, for routes that name theirs. Set before a look-up.
  package var listenerBit: UInt64 = 0

  /// The request's host, lower-cased: scratch.
  var foldedHost: [UInt8] = []
  /// The path's segments without empty ones: scratch, used only when the path has such.
  var presentSegments: [Range<Int>] = []
  /// One bit a method name of the table, set for those that a passed-over route would have taken.
  var allowedMethods: [UInt64] = []
  /// Those routes.
  package internal(set) var missedRoutes: [Int] = []

  package init() {}

  /// Forgets the last request and keeps the memory. A look-up does it itself.
  package mutating func reset() {
    if !captures.isEmpty { captures.removeAll(keepingCapacity: true) }
    rest = 0..<0
    if !allowedMethods.isEmpty { allowedMethods.removeAll(keepingCapacity: true) }
    if !missedRoutes.isEmpty { missedRoutes.removeAll(keepingCapacity: true) }
  }

  /// Makes what lies in one spelling of a path lie in another, whose segments are as many.
  mutating func move(from old: [Range<Int>], to new: [Range<Int>], end: Int) {
    var next = 0
    for index in captures.indices {
      // Captures come in the order of the segments.
      while next < old.count, old[next] != captures[index] { next += 1 }
      captures[index] = next < new.count ? new[next] : end..<end
    }
    if rest.isEmpty {
      rest = end..<end
      return
    }
    let first = old.firstIndex { $0.lowerBound == rest.lowerBound } ?? old.count
    rest = (first < new.count ? new[first].lowerBound : end)..<end
  }

  mutating func reset(methodWordCount: Int) {
    reset()
    for _ in 0..<methodWordCount { allowedMethods.append(0) }
  }
}
