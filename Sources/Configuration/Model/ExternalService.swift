// `services:`: somebody else who is asked whether a request may pass, and `authorize:` of a route, which asks.

/// One of `services:`.
package struct ExternalService: Sendable, Equatable {
  /// The name in the file, in logs and in routes.
  package var name: String
  /// An index into ``GatewayConfiguration/upstreams``.
  package var upstream: Int
  /// Path and query of the request to the service.
  package var path: String
  /// Fields of the client's request that it gets, in lower case.
  package var headers: [String] = []
  package var timeout = Duration.milliseconds(500)
  /// nil asks for each request.
  package var cache: AnswerCache?
  /// Fields of the service's answer that go to the upstream, as they are written there.
  package var answerHeaders: [String] = []
  package var onFailure = FailurePolicy.refuse

  package init(name: String, upstream: Int = 0, path: String = "/") {
    self.name = name
    self.upstream = upstream
    self.path = path
  }

  /// What becomes of a request that the service says nothing about. The raw values are those of the file.
  package enum FailurePolicy: String, Sendable, CaseIterable {
    case refuse, pass
  }
}

/// For which requests, and for how long, an answer counts.
package struct AnswerCache: Sendable, Equatable {
  /// What requests must have in common. The raw values are those of the file.
  package enum Key: Sendable, Equatable {
    /// The credential, whatever it says.
    case caller
    case method, host, path
    /// All of it.
    case query
    case value(RequestValue)
  }

  package var duration = Duration.zero
  /// Empty stands for all that the service is asked.
  package var keys: [Key] = []
}

/// `authorize:` of a route.
package struct ServiceUse: Sendable, Equatable {
  /// An index into ``GatewayConfiguration/services``.
  package var service: Int
  package var mode = RuleMode.enforce

  package init(service: Int) { self.service = service }
}

extension ExternalService {
  static let settings = Settings<ExternalService>(
    "services{}", title: "a service", example: "policy: { upstream: NAME, path: /check }",
    blank: ExternalService(name: ""), finish: { service, section in section.reading.check(service, section) },
    [
      Setting("upstream", \.upstream, .upstreamName, "Where the service is.", required: "write upstream: NAME"),
      Setting(
        "path", \.path, .localPath,
        "What is asked for, by GET. The request in question is in `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and "
          + "`-For`."),
      Setting(
        "headers", \.headers, .askedHeaders,
        "Header fields of the client's request that the service gets, beside the identity headers. A credential only "
          + "where `Authorization` or `Cookie` is among them.", otherwise: "none"),
      Setting(
        "timeout", \.timeout, .duration(from: .milliseconds(10), to: .seconds(30)),
        "How long it may take to answer. It is looked at ten times a second."),
      Setting(
        "cache", \.cache, .mapping(AnswerCache.settings),
        "How long it is remembered that a request may pass. A refusal is never remembered.", otherwise: "not at all"),
      Setting(
        "answer_headers", \.answerHeaders, .answerHeaders,
        "Header fields of its answer that the upstream gets. Like identity headers, no client can send them.",
        otherwise: "none"),
      Setting(
        "on_failure", \.onFailure, .choice,
        "What becomes of requests while it does not answer 2xx, 401 or 403: 503, or they pass."),
    ])
}

extension AnswerCache {
  static let settings = Settings<AnswerCache>(
    "services{}.cache", title: "'cache'", example: "cache: { for: 10s }", blank: AnswerCache(),
    [
      Setting(
        "for", \.duration, .duration(from: .milliseconds(100), to: .hours(1)),
        "At most. `Cache-Control` of the answer can shorten it, and so does the end of the caller's token.",
        required: "write for: 10s"),
      Setting(
        "by", \.keys, .answerKeys,
        "What requests must have in common, beside their route, to share an answer: `caller`, `method`, `host`, `path`, "
          + "`query`, `client_ip`, `claim:NAME`, `header:NAME`, `cookie:NAME` or `query:NAME`.",
        otherwise: "all that the service is asked"),
    ])
}

extension ServiceUse {
  static let settings = Settings<ServiceUse>(
    "routes[].authorize", title: "'authorize'", example: "authorize: { service: NAME }", blank: ServiceUse(service: 0),
    [
      Setting(
        "service", \.service, .serviceName, "Who is asked, one of `services`.", required: "write service: NAME"),
      Setting(
        "mode", \.mode, .choice,
        "`shadow` asks, logs (`shadow_reason`) and counts (`catraca_authorize_shadow_total`), and lets every request pass "
          + "without what the service answered."),
    ])
}
