// Why a route does not take a request. The router is asked, with that route alone, and again with one condition of it
// left out: so nothing here knows how routes are matched.

import Configuration
import Tokens

package struct RouteReason: Sendable, Equatable {
  package let route: String
  package let reason: String
}

enum RouteReasons {
  /// LIMIT: so many routes are explained. Each is asked for a few times.
  static let countMax = 1000

  /// The routes that take the path of a request and did not get it, and how many have another path.
  /// - Parameter chosen: the index of the route that took the request.
  static func others(
    of request: RehearsedRequest, in configuration: GatewayConfiguration, chosen: Int?
  ) -> (reasons: [RouteReason], withOtherPath: Int) {
    var reasons: [RouteReason] = []
    var withOtherPath = 0
    for (index, route) in configuration.routes.prefix(countMax).enumerated() where index != chosen {
      if let reason = reason(route, request, configuration) {
        reasons.append(RouteReason(route: route.name, reason: reason))
      } else {
        withOtherPath += 1
      }
    }
    return (reasons, withOtherPath)
  }

  /// Nil where the route's path is another one.
  private static func reason(
    _ route: Route, _ request: RehearsedRequest, _ configuration: GatewayConfiguration
  ) -> String? {
    func takes(_ change: (inout Route) -> Void) -> Bool {
      var alone = Route(
        name: route.name, path: route.path, auth: .public,
        action: .respond(FixedResponse(status: 200, body: "", contentType: "text/plain")))
      (alone.host, alone.methods, alone.headers, alone.listeners) = (
        route.host, route.methods, route.headers, route.listeners
      )
      (alone.encodedSlash, alone.isMerged) = (route.encodedSlash, route.isMerged)
      change(&alone)
      var small = GatewayConfiguration()
      small.listeners = configuration.listeners
      small.trustedProxies = configuration.trustedProxies
      small.trustedFields = configuration.trustedFields
      small.routes = [alone]
      return Rehearsal(small, keySets: [], unixSeconds: 0).outcome(of: request).status == 200
    }
    /// With one condition and no other.
    func takesAlone(with condition: (inout Route) -> Void) -> Bool {
      takes { alone in
        (alone.host, alone.methods, alone.headers, alone.listeners) = (.any, [], [], [])
        condition(&alone)
      }
    }
    guard takesAlone(with: { _ in }) else { return nil }
    if takes({ _ in }) { return "takes it as well, and the other one is more specific" }
    var reasons: [String] = []
    if !takesAlone(with: { $0.host = route.host }) { reasons.append("host \(route.host.text)") }
    if !takesAlone(with: { $0.methods = route.methods }) {
      reasons.append("methods \(route.methods.joined(separator: ", "))")
    }
    if !takesAlone(with: { $0.headers = route.headers }) {
      reasons.append("headers " + route.headers.map(\.name).joined(separator: ", "))
    }
    if !takesAlone(with: { $0.listeners = route.listeners }) { reasons.append("another listener") }
    return "requires " + reasons.joined(separator: ", ")
  }
}
