// Which route takes a request: host, then path, then header fields, then method. The most specific one wins, whatever
// the order in the file, and what it leaves of its path's methods is left to no other path. It is stage 4 of a
// request's way and decides nothing about who may pass.
//
// One tree of path segments per host pattern. The walk goes down by literal segments first, then by `{parameter}`, and
// on its way back up takes `/*`: exactly the order of specificity, so the first candidate that holds is the answer.
//
// Invariant: immutable after `init`. Every index in the flat arrays points into its target array.

package import Bytes

/// The compiled `routes:` of one configuration. A look-up costs what the path's length costs, not the number of routes
/// (routes that share host and path are tried one by one), and allocates nothing once `RouteMatch` is warm.
package struct RouteTable: ~Copyable, Sendable {
  /// Where in `candidates` the routes lie that end at a node in one way.
  struct Leaf: Sendable {
    var start: Int32 = 0
    var count: Int32 = 0
  }

  /// One segment of a pattern, below the segments before it.
  struct Node: Sendable {
    /// -1 for a root.
    var parent: Int32
    /// The child for `{parameter}`, or -1.
    var parameterChild: Int32 = -1
    /// Whether this node is its parent's parameter child.
    var isParameter = false
    /// Patterns that end here: `/a`, `/a/`, `/a/*`.
    var exact = Leaf()
    var withSlash = Leaf()
    var prefix = Leaf()
  }

  /// One host pattern. The less specific patterns that would take the same host are known when the table is built.
  struct Root: Sendable {
    var node: Int
    /// Index of the root to try when no route of this one holds, or -1.
    var fallback: Int
  }

  /// A route at the leaf where its path ends. In a leaf they are in the order of precedence.
  struct Candidate: Sendable {
    var route: Int
    /// Into `conditions`.
    var conditionStart: Int
    var conditionCount: Int
    var takesAnyMethod: Bool
  }

  enum Condition: Sendable {
    /// Ranges into `texts`.
    case header(name: Range<Int>, value: Range<Int>)
    /// A bit for each of them. The last condition of its candidate.
    case listeners(UInt64)
  }

  var nodes: [Node] = []
  var edges = NameTable([])
  var roots: [Root] = []
  /// Parent 0: exact hosts. Parent 1: what follows `*.`. The values are indices into `roots`.
  var hosts = NameTable([])
  /// Whether one of them is an IPv6 address, which has many spellings.
  var hasIPv6Host = false
  /// The root of routes without a host, or -1.
  var anyHost = -1
  var candidates: [Candidate] = []
  var conditions: [Condition] = []
  /// Names of methods, names and values of header conditions, one behind the other.
  var texts: [UInt8] = []
  /// Every method name that a route uses, as a range into `texts`. Its index is the method's bit.
  var methodNames: [Range<Int>] = []
  /// `methodWordCount` words a candidate.
  var methodMasks: [UInt64] = []
  var methodWordCount = 0
  /// For each route, where its parameters' positions lie in `parameterPositions`.
  var parameterRanges: [Range<Int>] = []
  /// Which segment of the path a parameter takes, counted from 0.
  var parameterPositions: [Int] = []
  /// Names of the parameters, beside `parameterPositions`.
  var parameterNames: [String] = []

  // LIMIT: a host name has at most 253 bytes (RFC 1035 §2.3.4), 254 with the root's dot. A longer one finds no route.
  static let hostByteCountMax = 254

  /// Which of a route's captures a `{name}` is, for templates that are prepared once (`rewrite:`).
  package func captureIndex(of name: String, route: Int) -> Int? {
    guard route >= 0, route < parameterRanges.count else { return nil }
    let range = parameterRanges[route]
    guard let index = range.first(where: { parameterNames[$0] == name }) else { return nil }
    return index - range.lowerBound
  }

  /// The value of `Allow` (RFC 9110 §10.2.1) for a look-up that ended in `methodNotAllowed`.
  package func appendAllow(of match: borrowing RouteMatch, to output: inout ByteQueue) {
    var isFirst = true
    for index in methodNames.indices {
      let word = index / 64
      guard word < match.allowedMethods.count, match.allowedMethods[word] >> UInt64(index % 64) & 1 == 1 else {
        continue
      }
      if !isFirst { output.append(", ") }
      output.append(texts.span.extracting(methodNames[index]))
      isFirst = false
    }
  }
}
