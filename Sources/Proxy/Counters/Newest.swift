// The newest of what happens now and then, for the status page.

/// A ring. It costs nothing until something is noted.
package struct Newest<Element: Sendable>: Sendable {
  /// LIMIT: the oldest gives way.
  package static var countMax: Int { 20 }

  private var ring: [Element] = []
  private var next = 0

  package init() {}

  package mutating func note(_ element: Element) {
    if ring.count < Self.countMax {
      ring.append(element)
    } else {
      ring[next] = element
      next = (next + 1) % Self.countMax
    }
  }

  /// The newest first.
  package var elements: [Element] { (ring[next...] + ring[..<next]).reversed() }
}

extension Newest: Equatable where Element: Equatable {}
