// Configurations that several files of tests use.

import TestSupport

enum Configurations {
  /// Everything goes to one upstream, nobody is asked for a token.
  static func plain(
    _ upstream: TestUpstream, top: String = "", upstreamKeys: String = "", routeKeys: String = ""
  ) -> String {
    """
    \(top)
    upstreams:
      service: { servers: ["\(upstream.address)"]\(upstreamKeys.isEmpty ? "" : ", ")\(upstreamKeys) }
    routes:
      - { path: "/*", auth: public, upstream: service\(routeKeys.isEmpty ? "" : ", ")\(routeKeys) }
    """
  }
}
