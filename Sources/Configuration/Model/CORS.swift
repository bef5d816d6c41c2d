// Which pages of other origins may call a route, and with what (the Fetch standard's CORS protocol).

/// `cors:` of a route.
package struct CORS: Sendable, Equatable {
  package enum Origin: Sendable, Hashable {
    /// `*`. Never with credentials.
    case any
    /// As browsers write it (RFC 6454 §6.2), in lower case: `https://app.example.com`, `file://`, `null`.
    case exact(String)
    case pattern(OriginPattern)
  }

  package var origins: [Origin]
  /// Empty: those that the route takes.
  package var methods: [String] = []
  /// nil allows what is asked for (`*`). Never with credentials.
  package var headers: [String]? = ["Authorization", "Content-Type"]
  package var exposeHeaders: [String] = []
  package var hasCredentials = false
  /// How long a browser may remember the answer to a preflight.
  package var maxAge = Duration.seconds(600)
  /// Whether pages of public networks may call where this is a private one.
  package var isPrivateNetworkAllowed = false

  package init(origins: [Origin]) { self.origins = origins }
}

/// An origin with a `*` in it: `https://*.example.com`, `http://localhost:*`. All in lower case.
package struct OriginPattern: Sendable, Hashable {
  package enum Port: Sendable, Hashable {
    /// Without a port, which is the scheme's own.
    case none
    case exact(String)
    /// Any, or none.
    case any
  }

  /// With the `://` behind it.
  package var scheme: String
  package var host: String
  /// One or more labels in front of `host`, which alone does not match.
  package var isSubdomain: Bool
  package var port: Port

  package init(scheme: String, host: String, isSubdomain: Bool, port: Port) {
    self.scheme = scheme
    self.host = host
    self.isSubdomain = isSubdomain
    self.port = port
  }
}

extension CORS {
  static let settings = Settings<CORS>(
    "routes[].cors", title: "'cors'", example: "cors: { origins: [https://app.example.com] }", blank: CORS(origins: []),
    finish: { cors, section in section.reading.checkCredentials(cors, section) },
    [
      Setting(
        "origins", \.origins, .origins, "Origins whose pages may call, see below.",
        required: "write origins: [https://app.example.com]"),
      Setting(
        "methods", \.methods, .methods,
        "What a preflight is answered. For a route that takes any method: GET, HEAD, POST, PUT, PATCH, DELETE.",
        otherwise: "those of the route"),
      Setting(
        "headers", \.headers, .headersOfPages,
        "Request headers that pages may set. `[\"*\"]` allows whatever is asked for."),
      Setting(
        "expose_headers", \.exposeHeaders, .fieldNames,
        "Response headers that pages may read besides the plainest ones."),
      Setting(
        "credentials", \.hasCredentials, .boolean, "Whether pages may call with cookies. Then no `*` is allowed."),
      Setting(
        "max_age", \.maxAge, .wholeSeconds(from: .zero, to: .hours(24)),
        "How long a browser may remember a preflight's answer."),
      Setting(
        "private_network", \.isPrivateNetworkAllowed, .boolean,
        "Whether pages of public networks may call where this is a private one."),
    ])
}
