// One of `services:`, prepared: what it is asked, and what of its answer counts.

import Configuration

extension CompiledRoute {
  /// The name of the service that can refuse its requests.
  var decidingService: String? { isServiceInShadow ? nil : service?.name }
}

/// Immutable. Shared by the routes that ask it, in all workers.
final class CompiledService: Sendable {
  let name: String
  /// Its id in the counters.
  let counterID: Int
  /// An index into the configuration's upstreams.
  let upstream: Int
  let upstreamName: String
  /// Request line and Host.
  let headStart: [UInt8]
  /// Names of the client's fields that it gets, in lower case.
  let askedFields: [[UInt8]]
  let isCookieAsked: Bool
  /// The session's token may be among the identity headers.
  let isAuthorizationAsked: Bool
  let timeout: Int64
  /// In nanoseconds. 0 asks for each request.
  let cacheDuration: Int64
  /// Empty stands for all that is asked.
  let keys: [AnswerCache.Key]
  /// Those of its answer that go on: the name in lower case, and how the line begins.
  let answerFields: [(name: [UInt8], prefix: [UInt8])]
  let passesOnFailure: Bool

  init(_ service: ExternalService, counterID: Int, in configuration: GatewayConfiguration) {
    name = service.name
    self.counterID = counterID
    upstream = service.upstream
    let upstreams = configuration.upstreams
    upstreamName = upstreams.indices.contains(service.upstream) ? upstreams[service.upstream].name : ""
    headStart = Array(
      "GET \(service.path) HTTP/1.1\r\nHost: \(Self.host(of: service, in: configuration))\r\n".utf8)
    askedFields = service.headers.map { Array($0.utf8) }
    isCookieAsked = service.headers.contains("cookie")
    isAuthorizationAsked = service.headers.contains("authorization")
    timeout = service.timeout.nanoseconds
    cacheDuration = service.cache?.duration.nanoseconds ?? 0
    keys = service.cache?.keys ?? []
    answerFields = service.answerHeaders.map { (Array($0.lowercased().utf8), Array("\($0): ".utf8)) }
    passesOnFailure = service.onFailure == .pass
  }

  /// Its own name, and never that of the request in question.
  private static func host(of service: ExternalService, in configuration: GatewayConfiguration) -> String {
    guard configuration.upstreams.indices.contains(service.upstream) else { return "localhost" }
    let upstream = configuration.upstreams[service.upstream]
    if case .name(let name) = upstream.host { return name }
    return upstream.servers.first?.authority ?? "localhost"
  }
}
