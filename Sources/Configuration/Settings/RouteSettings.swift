// The keys of a route. What they require of each other is checked once all of them are read.

import Tokens

extension Route {
  static let settings = Settings<Route>(
    "routes[]", title: "a route", example: "- path: /orders/*",
    blank: Route(
      name: "", path: PathPattern(segments: [], isPrefix: true, hasTrailingSlash: false), auth: .public,
      action: .upstream(0)),
    rules: [
      "oneOf": [
        ["required": ["upstream"]], ["required": ["upstreams"]], ["required": ["respond"]], ["required": ["redirect"]],
      ]
    ], matchSettings + changeSettings + actionSettings + answerSettings)

  /// Which requests, and who may pass. Templates and claims of later keys depend on `path` and `auth`.
  private static let matchSettings: [Setting<Route>] = [
    Setting("name", \.name, .routeName, "For metrics and logs.", otherwise: "the path"),
    Setting(
      "host", \.host, .host, "Without a port. `*.` matches one or more labels, not the bare name.", otherwise: "any"),
    Setting(
      "path", \.path, .routePath,
      "Exact, or a prefix that ends in `/*` (which matches the prefix itself too). `{name}` matches one segment.",
      required: "write path: /orders/*"),
    Setting("methods", \.methods, .methods, "In capitals. GET does not include HEAD.", otherwise: "any"),
    Setting(
      "headers", \.headers, .headerMatches, "All must be present, once, with exactly this value.", otherwise: "none"),
    Setting(
      "listeners", \.listeners, .listenerNames,
      "By `name`. A request that came by another listener does not match.", otherwise: "any"),
    Setting(
      "encoded_slash", \.encodedSlash, .choice,
      "What becomes of `%2F` and `%5C` in a path: `keep` makes each a byte of its segment, which is forwarded."),
    Setting(
      "merge_slashes", \.isMerged, .boolean,
      "`false` forwards empty segments (`//`) that `/*` matches. Paths are matched without them all the same."),
    Setting(
      "auth", \.auth, .authentication, "Who may pass: `public` is anyone.",
      required: "write auth: NAME-OF-AN-ISSUER, or auth: public to let anyone pass"),
    Setting(
      "clients", \.clients, .clients,
      "Clients whose addresses may pass. Others get 403 `client_not_allowed`. `\"!10.0.0.5\"` denies an address, whatever "
        + "else is listed.", otherwise: "any"),
    Setting(
      "authorize", \.authorize, .mapping(ServiceUse.settings),
      "Asks somebody else whether the request may pass, once the caller is known.", otherwise: "nobody"),
    Setting(
      "unprotected", ValueForm("`allowed`", ["enum": ["allowed"]]),
      "Silences the warning that this route takes what stricter routes leave.",
      read: { node, reading, _ in reading.isAllowed(node, "'unprotected'") }),
  ]

  /// What is changed in requests and responses.
  private static let changeSettings: [Setting<Route>] = [
    Setting("identity", \.identity, .mapping(Identity.settings), "What the upstream learns about the caller."),
    Setting("cors", \.cors, .mapping(CORS.settings), "Which pages of other origins may call."),
    Setting(
      "rate_limit", \.rateLimits, .routeRateLimits,
      "How often a caller may ask: a limit, the name of a shared one, or at most 8 of these."),
    Setting("rewrite", \.rewrite, .mapping(Rewrite.settings), "How the path is changed for the upstream."),
    Setting(
      "request_headers", \.requestHeaders, .mapping(HeaderRules.requestSettings),
      "Changes of the header fields of requests."),
    Setting(
      "response_headers", \.responseHeaders, .mapping(HeaderRules.responseSettings),
      "Changes of the header fields of responses, the gateway's own included."),
  ]

  /// Where the route ends: it has one of these.
  static let actionKeys = ["upstream", "upstreams", "respond", "redirect"]

  private static let actionSettings: [Setting<Route>] = [
    Setting(
      "upstream", \.action, .upstream,
      "Where the request goes. A route has exactly one of `upstream`, `upstreams`, `respond` and `redirect`."),
    Setting("upstreams", \.action, .split, "Several upstreams, each with its share of the requests."),
    Setting(
      "split_on", .callerKey,
      "Keeps a caller on one of the `upstreams`. Without it, or without the value, each request is decided at random.",
      store: { route, key in
        guard case .split(var split) = route.action else { return }
        split.key = key
        route.action = .split(split)
      }),
    Setting("respond", \.action, .respond, "A fixed response."),
    Setting("redirect", \.action, .redirect, "A redirect."),
    Setting(
      "timeout", \.timeout, .duration(from: .milliseconds(10), to: .hours(24)),
      "From the request's head to the end of the response. A gRPC call's own `grpc-timeout` can only shorten it."),
    Setting(
      "read_timeout", \.readTimeout, .readTimeout, "Between two reads of a response.", otherwise: "the upstream's"),
    Setting(
      "deadline_header", \.deadlineHeader, .deadlineHeader,
      "The header in which the upstream gets the rest of `timeout` in milliseconds. A client's own is removed."),
    Setting(
      "body_size", \.bodySize, .bodySize, "The largest request body. For a gRPC call, all messages together.",
      otherwise: "that of `limits`"),
  ]

  private static let answerSettings: [Setting<Route>] = [
    Setting(
      "compress", \.compress, .compression, "Whether responses are compressed.",
      otherwise: "as at the top of the file"),
    Setting("error_pages", \.errorPages, .errorPages, "Pages for refusals on this route.", otherwise: "none"),
    Setting(
      "maintenance", \.maintenance, .maintenance, "Whether the route is closed.",
      otherwise: "as at the top of the file"),
    Setting("websocket", \.webSocket, .webSocket, "Whether clients may open WebSockets to the upstream."),
    Setting(
      "graphql", \.graphQL, .mapping(GraphQLRules.settings),
      "What documents of GraphQL may ask for. Only requests of GraphQL pass then."),
    Setting("mirror", \.mirror, .mapping(Mirroring.settings), "Copies of requests for another upstream."),
    Setting(
      "routes", .groupedRoutes, "Makes this a group, which takes no requests itself: these inherit its other keys.",
      read: Inherited.isFilledIn),
    Setting(
      "without", .list(of: .text("key"), "list of keys"),
      "What is not inherited from the group around the route, or from `defaults`.", read: Inherited.isFilledIn),
  ]
}

/// Keys that are used up before the rest is read.
enum Inherited {
  static func isFilledIn<Model>(_ node: SourceNode, _ reading: Reading, _ model: inout Model) -> Bool { true }
}

extension TokenRequirement {
  static let settings = Settings<TokenRequirement>(
    "routes[].auth", title: "'auth'", blank: TokenRequirement(issuers: []),
    rules: ["anyOf": [["required": ["issuers"]], ["required": ["sessions"]], ["required": ["api_keys"]]]],
    finish: { requirement, section in section.reading.finish(&requirement, section) },
    [
      Setting(
        "issuers", \.issuers, .issuerNames,
        "A token of any of these. No two may have the same `issuer` value. `auth` has this, `api_keys` or `sessions`, or several of them."
      ),
      Setting(
        "api_keys", \.apiKeys, .apiKeyNames,
        "Or, for a request without a token, a key of one of these sets."),
      Setting(
        "sessions", \.sessions, .sessionNames,
        "Or, for a request without a token or key, the cookie of one of these sessions."),
      Setting(
        "scopes", \.scopes, .scopes,
        "All of them must be in `scope` (text) or `scp` (list), or one of them with `{ any: [a, b] }`. Otherwise: 403."
      ),
      Setting(
        "claims", \.claims, .claims,
        "Each must hold. A list here is a choice. A claim that is a list must contain one. `true` and `12` are not the "
          + "texts `\"true\"` and `\"12\"`. `{ prefix: \"repo:acme/\" }` and `{ suffix: … }` compare an end of a text."),
      Setting(
        "tokens_from", \.sources, .tokenSources,
        "Where tokens are looked for. A token in two of them is refused. `basic` is the password of "
          + "`Authorization: Basic`."),
      Setting(
        "optional", \.isOptional, .boolean,
        "`true` lets a request without a token pass as anonymous. A bad token is refused all the same."),
      Setting(
        "proof", \.proof, .choice,
        "A token must be bound to its sender: to a key with a proof in `DPoP` (`dpop`), to the connection's client "
          + "certificate (`mtls`), or to either (`any`). A token that says so itself always is, also with `none`."),
      Setting(
        "mode", \.mode, .choice,
        "`shadow` checks, logs (`shadow_reason`) and counts (`catraca_auth_shadow_total`), and lets every request pass as "
          + "on a public route."),
      Setting(
        "challenge", \.challenge, .challenge,
        "What `WWW-Authenticate` of a refusal says. `401` is short for `{ redirect: false }`."),
      Setting(
        "resource", \.resource, .protectedResource,
        "The URL that clients know this by (RFC 9728). Its metadata is served, challenges lead there, and a token may "
          + "name it in `aud`. Routes may share one.",
        otherwise: "none"),
    ])
}

extension ChallengeRules {
  static let settings = Settings<ChallengeRules>(
    "routes[].auth.challenge", title: "'challenge'",
    example: "challenge: { realm: \"https://auth.example.com/token\" }",
    blank: ChallengeRules(),
    [
      Setting(
        "realm", \.realm, .challengeText,
        "For clients of container registries, the URL of the token service."),
      Setting("service", \.service, .challengeText, "The name that the token service knows this service by."),
      Setting(
        "redirect", \.isRedirected, .boolean,
        "`false` answers with 401 where a browser that opens a page without a session would be sent to sign in."),
    ])
}

extension TokenRequirement {
  /// `scopes:` as a mapping.
  static let scopeSettings = Settings<ScopeRequirement>(
    "routes[].auth.scopes", title: "'scopes'", example: "scopes: { any: [orders.read, orders.admin] }",
    blank: ScopeRequirement(isAny: true),
    [
      Setting(
        "any", \.names, .scopeNames, "One of them is enough. A bare list requires all of them.",
        required: "write any: [orders.read, orders.admin]")
    ])
}

/// The form of a claim's value that is compared with an end of the text.
struct ClaimPattern: Sendable {
  var prefix: String?
  var suffix: String?

  static let settings = Settings<ClaimPattern>(
    "routes[].auth.claims{}", title: "the claim's pattern", example: "sub: { prefix: \"repo:acme/\" }",
    blank: ClaimPattern(),
    [
      Setting("prefix", \.prefix, .line(), "How the claim's text begins."),
      Setting("suffix", \.suffix, .line(), "How the claim's text ends."),
    ])
}

extension Identity {
  static let settings = Settings<Identity>(
    "routes[].identity", title: "'identity'", example: "identity: { headers: { X-User-Id: sub } }", blank: Identity(),
    finish: { identity, section in section.reading.finish(&identity, section) },
    [
      Setting(
        "headers", \.headers, .identityHeaders,
        "A claim that is missing leaves the header out. Dots go into nested claims. For `tls.` see below."),
      Setting(
        "strip", \.strip, .strip,
        "Removed besides the identity headers, and like them on every route. `X-User-*` is a prefix."),
      Setting(
        "forward_token", \.isTokenForwarded, .boolean,
        "Whether the verified token is forwarded to the upstream, unchanged."),
      Setting("payload", \.payloadHeader, .identityName, "Carries the whole verified payload in base64url."),
      Setting(
        "assertion", \.assertion, .mapping(IdentityAssertion.settings),
        "A token that the gateway signs about the caller, so that the upstream can believe it.", otherwise: "none"),
    ])
}

extension HeaderRules {
  static let requestSettings = settings("routes[].request_headers", title: "'request_headers'")
  static let responseSettings = settings("routes[].response_headers", title: "'response_headers'")

  /// Of the whole file. There is nothing that could be replaced or removed.
  static let gatewaySettings = Settings<HeaderRules>(
    "response_headers", title: "'response_headers'", example: "{ set: { X-Frame-Options: DENY } }",
    blank: HeaderRules(), finish: { rules, section in section.reading.checkOwnAnswers(rules, section) },
    [Setting("set", \.set, .ruleFields, "Is in each of these responses.")])

  private static func settings(_ path: String, title: String) -> Settings<HeaderRules> {
    Settings<HeaderRules>(
      path, title: title, example: "{ set: { X-Env: prod }, remove: [Cookie] }", blank: HeaderRules(),
      finish: { _, section in section.reading.checkRepetitions(section) },
      [
        Setting("set", \.set, .ruleFields, "Replaces every field of that name."),
        Setting("add", \.add, .ruleFields, "Is added beside fields of that name."),
        Setting("remove", \.remove, .ruleNames, "Removed."),
      ])
  }
}

extension Rewrite {
  static let settings = Settings<Rewrite>(
    "routes[].rewrite", title: "'rewrite'", example: "rewrite: { strip_prefix: /orders }", blank: Rewrite(),
    finish: { rewrite, section in section.reading.check(rewrite, section) },
    [
      Setting(
        "strip_prefix", \.stripPrefix, .pathPrefix, "Removed from the front. The route's path must begin with it."),
      Setting("add_prefix", \.addPrefix, .pathPrefix, "Put in front, after that."),
      Setting(
        "path", \.path, .pathTemplate,
        "The whole path instead: `{name}` is a segment of the route's path, `{*}` what `/*` matched."),
      Setting(
        "responses", \.mapsResponses, .boolean,
        "Whether `Location`, `Content-Location`, `Refresh` and the paths of cookies are changed back in responses.",
        otherwise: "only the upstream's own scheme and host in `Location`"),
      Setting(
        "destination", \.mapsDestination, .boolean,
        "Whether `Destination` (WebDAV, Subversion) is changed as the path is. An address of another route is refused."),
    ])
}

extension FixedResponse {
  static let settings = Settings<FixedResponse>(
    "routes[].respond", title: "'respond'", example: "respond: { status: 200, body: ok }",
    blank: FixedResponse(status: 200, body: "", contentType: "text/plain; charset=utf-8"),
    rules: ["anyOf": [["required": ["status"]], ["required": ["key_set"]]]],
    finish: { response, section in section.reading.checkBody(of: response, section) },
    [
      Setting(
        "status", \.status, .integer(200...599), "The status of the response.",
        otherwise: "200 with `key_set`, and required without"),
      Setting(
        "key_set", \.keySet, .assertionName,
        "The public keys of one of `assertions`, as a JWK Set that may be kept for a minute.", otherwise: "none"),
      Setting(
        "body", \.body, .responseBody, "None is allowed for 204, 205 and 304. `file:/path` is read from that file.",
        otherwise: "empty"),
      Setting("content_type", \.contentType, .contentType, "The media type of the body."),
      Setting(
        "identity", \.isIdentityShown, .boolean,
        "`true` answers with the identity headers of the route, for proxies that ask this gateway."),
    ])
}

extension Redirect {
  static let settings = Settings<Redirect>(
    "routes[].redirect", title: "'redirect'", example: "redirect: { to: /new }", blank: Redirect(to: "", status: 308),
    [
      Setting(
        "to", .redirectTarget,
        "`{name}`, `{*}` and `{host}` (the request's host without its port) are filled in. For a route that ends in "
          + "`/*`, what that matched is appended unless `to` contains `{*}`, and so is the query.",
        required: "write to: /new, or an absolute URL",
        store: { redirect, target in
          redirect.to = target.to
          redirect.template = target.template
        }),
      Setting("status", \.status, .redirectStatus, "The status of the redirect."),
    ])
}

extension WebSocket {
  static let settings = Settings<WebSocket>(
    "routes[].websocket", title: "'websocket'", blank: WebSocket(),
    [
      Setting(
        "expiry_grace", \.expiryGrace, .duration(from: .zero, to: .hours(1)),
        "How long a tunnel outlives the token that it was opened with."),
      Setting(
        "idle_timeout", \.idleTimeout, .duration(from: .seconds(1), to: .hours(24)),
        "A tunnel in which nothing moves for so long is ended."),
      Setting(
        "graphql", \.isGraphQL, .boolean,
        "Whether the client's messages are those of GraphQL (`graphql-transport-ws` or `graphql-ws`), and obey the "
          + "route's `graphql`."),
    ])
}

extension Mirroring {
  static let settings = Settings<Mirroring>(
    "routes[].mirror", title: "'mirror'", example: "mirror: { upstream: NAME, percent: 10 }",
    blank: Mirroring(upstream: 0),
    [
      Setting(
        "upstream", \.upstream, .upstreamName, "Which upstream gets the copies.",
        required: "write the name of the upstream that gets the copies"),
      Setting("percent", \.percent, .integer(0...100), "The share of the route's requests that are copied."),
    ])
}
