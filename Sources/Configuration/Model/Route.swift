// Which requests a route takes, who may pass, what is changed, and which action it has.

package import Tokens

package struct Route: Sendable, Equatable {
  /// For metrics and logs. The path when the file gives no name.
  package var name: String
  package var host: HostPattern = .any
  package var path: PathPattern
  /// Upper-case method names. Empty means any. GET does not include HEAD.
  package var methods: [String] = []
  /// All must be present with exactly this value.
  package var headers: [HeaderMatch] = []
  /// Indices into ``GatewayConfiguration/listeners``. Empty means any.
  package var listeners: [Int] = []
  package var encodedSlash = EncodedSlash.refuse
  /// Whether an empty segment is left out of a path. Otherwise it is sent as it came, and matched without it.
  package var isMerged = true
  package var auth: Authentication
  /// nil lets clients of every address pass.
  package var clients: ClientList?
  /// nil asks nobody else.
  package var authorize: ServiceUse?
  package var identity = Identity()
  package var rewrite = Rewrite()
  package var requestHeaders = HeaderRules()
  package var responseHeaders = HeaderRules()
  /// nil leaves requests of other origins to the upstream.
  package var cors: CORS?
  package var rateLimits: [RouteRateLimit] = []
  package var action: Action
  /// nil lets no WebSocket through. Only to upstreams that speak HTTP/1.1.
  package var webSocket: WebSocket?
  /// `body_size` of this route. Nil takes `limits.body_size`.
  package var bodySize: UInt64?
  /// From the request's head to the end of the response. Nil is no bound.
  package var timeout: Duration?
  /// The route's own, or what the file says for all. Nil compresses nothing.
  package var compress: CompressionRules?
  /// The route's own, looked at before ``GatewayConfiguration/errorPages``.
  package var errorPages = ErrorPages()
  /// The route's own, or what the file says for all. Nil lets requests through.
  package var maintenance: Maintenance?
  /// Between two reads of an answer. Nil takes the upstream's.
  package var readTimeout: Duration?
  /// Name of the header in which the upstream gets the rest of ``timeout``.
  package var deadlineHeader: String?
  package var mirror: Mirroring?
  /// nil looks into no body.
  package var graphQL: GraphQLRules?

  package init(name: String, path: PathPattern, auth: Authentication, action: Action) {
    self.name = name
    self.path = path
    self.auth = auth
    self.action = action
  }

  /// Whether a credential may come in what browsers send whatever page asks: a cookie, or the password that they
  /// remember.
  /// - Parameter apiKeys: those of the file.
  package func isTokenSentUnasked(apiKeys: [APIKeySet]) -> Bool {
    guard case .token(let requirement) = auth else { return false }
    return !requirement.sessions.isEmpty || requirement.apiKeys.contains { apiKeys[$0].places.contains(.basic) }
      || requirement.sources.contains { source in
        switch source {
        case .basic, .value(.cookie): true
        case .authorization, .webSocketProtocol, .value: false
        }
      }
  }
}

/// What becomes of a request with `%2F` or `%5C` in its path. The raw values are those of the file.
package enum EncodedSlash: String, Sendable, CaseIterable {
  case refuse
  /// It is a byte of its segment.
  case keep
}

/// `host:` of a route, in lower case, without a port and without the brackets of an IPv6 address.
package enum HostPattern: Sendable, Hashable {
  case any
  case exact(String)
  /// `*.example.com` holds `example.com`. It matches one or more labels in front, never the bare name.
  case subdomains(of: String)

  /// As the file has it. `*` stands for any.
  package var text: String {
    switch self {
    case .any: "*"
    case .exact(let name): name
    case .subdomains(let name): "*.\(name)"
    }
  }
}

/// `path:` of a route, cut at `/`.
package struct PathPattern: Sendable, Hashable, CustomStringConvertible {
  package enum Segment: Sendable, Hashable {
    /// In normal form (RFC 3986 §6.2.2), compared byte by byte.
    case literal(String)
    /// `{name}`: one non-empty segment.
    case parameter(String)

    package var text: String {
      switch self {
      case .literal(let text): text
      case .parameter(let name): "{" + name + "}"
      }
    }
  }

  package var segments: [Segment]
  /// Ends in `/*`: takes the path itself and everything below it.
  package var isPrefix: Bool
  /// Ends in `/` and is not a prefix: `/a/` differs from `/a`. The root `/` has no segments and a trailing slash.
  package var hasTrailingSlash: Bool

  package init(segments: [Segment], isPrefix: Bool, hasTrailingSlash: Bool) {
    self.segments = segments
    self.isPrefix = isPrefix
    self.hasTrailingSlash = hasTrailingSlash
  }

  package var description: String {
    var result = ""
    for segment in segments {
      result += "/"
      switch segment {
      case .literal(let text): result += text
      case .parameter(let name):
        result += "{"
        result += name
        result += "}"
      }
    }
    result += isPrefix ? "/*" : hasTrailingSlash ? "/" : ""
    return result
  }
}

package struct HeaderMatch: Sendable, Hashable {
  /// Lower case.
  package var name: String
  package var value: String

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

package enum Authentication: Sendable, Equatable {
  /// Anyone passes. Identity headers are stripped all the same.
  case `public`
  case token(TokenRequirement)
}

/// `auth:` of a route that requires a token.
package struct TokenRequirement: Sendable, Equatable {
  /// Indices into ``GatewayConfiguration/issuers``. Empty where only ``sessions`` pass.
  package var issuers: [Int]
  /// Indices into ``GatewayConfiguration/sessions``. Their cookies count where no token is.
  package var sessions: [Int] = []
  /// Indices into ``GatewayConfiguration/apiKeys``. Their keys count where no token is.
  package var apiKeys: [Int] = []
  /// They must be in `scope` or `scp`.
  package var scopes = ScopeRequirement()
  /// Each must hold.
  package var claims: [ClaimRequirement] = []
  /// Tried in this order. The first place that holds a token counts.
  package var sources: [TokenSource] = [.authorization]
  /// Whether a request without a token passes as anonymous. A bad token is refused all the same.
  package var isOptional = false
  /// How a token has to be bound to its sender. What a token says itself always counts.
  package var proof = ProofDemand.none
  package var mode = RuleMode.enforce
  package var challenge = ChallengeRules()
  /// nil where clients are not told the way in.
  package var resource: ProtectedResource?
  /// Of those issuers whose tokens may be for a resource of another route: what tokens of this route may be for.
  package var audiences: [IssuerAudiences] = []

  package init(issuers: [Int]) { self.issuers = issuers }

  /// Whether a request without a token passes.
  package var letsAnonymousPass: Bool { isOptional || mode == .shadow }
}

/// `proof:` of a route's `auth`. The raw values are those of the file.
package enum ProofDemand: String, Sendable, CaseIterable {
  case none
  /// To a key that signs a proof for each request (RFC 9449).
  case dpop
  /// To a client certificate (RFC 8705).
  case mtls
  /// To either.
  case any
}

/// Whether a rule counts. The raw values are those of the file.
package enum RuleMode: String, Sendable, CaseIterable {
  case enforce
  /// What it would refuse is logged and counted. Nobody is refused, and nobody is known by it.
  case shadow
}

/// `resource:` of a route's `auth` (RFC 9728).
package struct ProtectedResource: Sendable, Equatable {
  /// The URL that names it, as it was written.
  package let text: String
  /// The URL of its metadata.
  package let metadata: String
  package let metadataPath: PathPattern
}

package struct IssuerAudiences: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/issuers``.
  package let issuer: Int
  /// One of them must be in `aud`.
  package let audiences: [String]
}

/// `challenge:` of a route's `auth`. Neither text has a quote or a backslash.
package struct ChallengeRules: Sendable, Equatable {
  package var realm = "catraca"
  package var service: String?
  /// Whether a browser that opens a page without a session is sent to sign in. Otherwise it gets 401, as calls do.
  package var isRedirected = true

  package init() {}
}

/// Where a route looks for tokens.
package enum TokenSource: Sendable, Hashable {
  /// A bearer token in Authorization.
  case authorization
  /// The password of Basic credentials in Authorization, or the user name where the password is empty.
  case basic
  /// A cookie, a query parameter or a header. The whole value is the token.
  case value(RequestValue)
  /// Offered as `bearer, TOKEN` in Sec-WebSocket-Protocol. Only on a route with ``Route/webSocket``.
  case webSocketProtocol
}

/// `clients:` of a route: the addresses that may pass. One that is denied may not, whatever else is allowed.
package struct ClientList: Sendable, Equatable {
  /// Empty allows all that are not denied.
  package var allowed: [AddressRange] = []
  package var denied: [AddressRange] = []

  package init() {}
}

package struct Identity: Sendable, Hashable {
  package struct Header: Sendable, Hashable {
    /// As written in the file: the case is kept on the wire.
    package var name: String
    package var source: Source

    package init(name: String, source: Source) {
      self.name = name
      self.source = source
    }
  }

  package enum Source: Sendable, Hashable {
    /// Of the verified token. Never on a public route.
    case claim(ClaimPath)
    /// Of the verified client certificate, on any route.
    case clientCertificate(ClientCertificateFact)
  }

  package var headers: [Header] = []
  /// Names to strip besides the identity headers. One that ends in `*` is a prefix.
  package var strip: [String] = []
  package var isTokenForwarded = false
  /// Name of the header that carries the whole verified payload in base64url.
  package var payloadHeader: String?
  package var assertion: IdentityAssertion?

  package init() {}

  /// Of the headers that only the gateway sends.
  package var headerNames: [String] {
    headers.map(\.name) + [payloadHeader, assertion?.header].compactMap { $0 }
  }
}

/// What identity headers may say about a verified client certificate. The file has the raw values in place of claims.
package enum ClientCertificateFact: String, Sendable, CaseIterable {
  /// The distinguished name (RFC 4514).
  case subject = "tls.subject"
  /// The subject alternative names.
  case alternativeNames = "tls.san"
  /// SHA-256 of the certificate in base64url, as `x5t#S256` has it (RFC 8705 §3.1).
  case thumbprint = "tls.thumbprint"
}

/// `rewrite:`, applied to the normal path: strip, then add. `path` replaces it all and may use `{segment}` captures.
package struct Rewrite: Sendable, Equatable {
  package var stripPrefix: String?
  package var addPrefix: String?
  package var path: [TemplatePart] = []
  /// Whether addresses and paths in answers are mapped back. Nil maps the upstream's own scheme and authority alone.
  package var mapsResponses: Bool?
  /// Whether the address of `Destination` is mapped, and must be one of the route.
  package var mapsDestination = false

  package init() {}
}

/// A piece of a template such as `/v2/{id}`.
package enum TemplatePart: Sendable, Equatable {
  case text(String)
  /// `{name}`: a segment of the route's path.
  case parameter(String)
  /// `{*}`: what a prefix route's `/*` matched, without the slash in front.
  case rest
  /// `{host}`: the request's host without its port. In redirects only.
  case host
  /// `{client_ip}`, `{claim:NAME}` and so on.
  case value(RequestValue)
}

package enum Action: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/upstreams``.
  case upstream(Int)
  case split(Split)
  case respond(FixedResponse)
  case redirect(Redirect)
  /// Of the session with this index. No file has it: it follows from `exchange` of a session.
  case session(SessionAction, Int)

  /// Those that requests may go to. None where the gateway answers.
  package var upstreams: [Int] {
    switch self {
    case .upstream(let index): [index]
    case .split(let split): split.shares.map(\.upstream)
    case .respond, .redirect, .session: []
    }
  }
}

/// `websocket:` of a route.
package struct WebSocket: Sendable, Equatable {
  /// How long a tunnel outlives the token that it was opened with.
  package var expiryGrace = Duration.zero
  /// A tunnel in which nothing moves for so long is ended.
  package var idleTimeout = Duration.seconds(300)
  /// Whether messages of the client obey ``Route/graphQL``.
  package var isGraphQL = false

  package init() {}
}

/// `mirror:` of a route: copies of its requests, whose answers nobody sees.
package struct Mirroring: Sendable, Equatable {
  /// Index into ``GatewayConfiguration/upstreams``.
  package var upstream: Int
  /// 0...100, of the route's requests.
  package var percent = 100

  package init(upstream: Int) { self.upstream = upstream }
}

package struct FixedResponse: Sendable, Equatable {
  package var status: Int
  package var body: String
  /// A media type, as Content-Type has it.
  package var contentType: String
  /// Whether the identity headers are fields of it.
  package var isIdentityShown = false
  /// Index into ``GatewayConfiguration/assertions``, whose public keys are the body.
  package var keySet: Int?

  package init(status: Int, body: String, contentType: String) {
    self.status = status
    self.body = body
    self.contentType = contentType
  }
}

package struct Redirect: Sendable, Equatable {
  /// A path or an absolute URL. For a prefix route, what `/*` matched and the query are appended.
  package var to: String
  /// `to` with what the request brings in it. Empty where that is nothing.
  package var template: [TemplatePart] = []
  /// 301, 302, 303, 307 or 308.
  package var status: Int

  package init(to: String, status: Int) {
    self.to = to
    self.status = status
  }
}
