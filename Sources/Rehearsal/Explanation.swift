// Why a request gets the answer that it gets: the routes that were looked at, each check of its token, what limits it,
// and what its upstream receives.

package import Configuration
import Proxy
package import Tokens

package struct Explanation: Sendable {
  /// A field that the upstream receives, and where it comes from.
  package struct SentField: Sendable {
    package enum Origin: String, Sendable {
      case client
      case identity
      case assertion
      case rule = "request_headers"
      case gateway
    }

    package let name: String
    /// Nil for a value of the file, which may be secret, and for a credential.
    package let value: String?
    package let origin: Origin
  }

  package let request: RehearsedRequest
  package let outcome: RehearsedOutcome
  package let otherRoutes: [RouteReason]
  /// How many more routes there are, with another path.
  package let withOtherPath: Int
  /// Empty where no token was looked at.
  package let steps: [TokenStepReport]
  /// The checks of who sent it. Empty where there were none.
  package let senderSteps: [SenderStepReport]
  /// What the route requires of a token beside.
  package let requirements: [String]
  package let limits: [String]
  /// Who was asked about the credential, and what came of it. Empty where nobody was.
  package let asked: [(source: String, words: String)]
  /// The name of the service that the route asks, which is taken to let the request pass.
  package let service: String?
  /// Whether the request passes whatever the service says.
  package let isServiceInShadow: Bool
  /// What it gets.
  package let askedFields: [SentField]
  /// What the route says about documents of GraphQL.
  package let documentRules: [String]
  package let sentFields: [SentField]

  /// - Parameters:
  ///   - token: sent as a bearer token, beside the request's own fields.
  ///   - keySets: by the issuers' index.
  ///   - revocations: as many.
  ///   - answers: of those who were asked about its credential. Nil where nobody can be.
  ///   - buckets: of a running gateway. Nil does not know what is left of limits.
  package init(
    _ request: RehearsedRequest, token: String?, in configuration: GatewayConfiguration, keySets: [KeySet?],
    revocations: [Revocations?] = [], answers: KnownAnswers? = nil, buckets: LiveBuckets? = nil, unixSeconds: Int64
  ) {
    let request = request.with(token)
    self.request = request
    let outcome = Rehearsal(
      configuration, keySets: keySets, revocations: revocations, answers: answers, buckets: buckets,
      unixSeconds: unixSeconds
    ).outcome(of: request)
    asked = answers?.words(in: configuration) ?? []
    self.outcome = outcome
    (otherRoutes, withOtherPath) = RouteReasons.others(of: request, in: configuration, chosen: outcome.routeIndex)
    let route = outcome.routeIndex.map { configuration.routes[$0] }
    if case .token(let requirement) = route?.auth {
      let bearer = request.bearerToken.map { Array($0.utf8) }
      let questions = bearer.map { requirement.questions(about: $0, configuration.issuers) } ?? Questions()
      steps =
        questions.areAll
        ? []
        : bearer.map { token in
          TokenVerifier(tokenByteCountMax: configuration.limits.tokenSize).report(
            on: token.span, candidates: requirement.issuers,
            issuers: configuration.issuers.map { IssuerRules($0.policy) }, keySets: keySets, revocations: revocations,
            now: unixSeconds
          ).steps
        } ?? []
      requirements = requirement.words + (answers == nil ? questions.words : [])
    } else {
      steps = []
      requirements = []
    }
    senderSteps = steps.isEmpty ? [] : SenderStepReport.steps(of: request, outcome, in: configuration, now: unixSeconds)
    limits = route?.limitWords(in: configuration, buckets == nil ? nil : outcome) ?? []
    service = outcome.serviceRequest.flatMap { _ in route?.authorize.map { configuration.services[$0.service].name } }
    isServiceInShadow = route?.authorize?.mode == .shadow
    askedFields = (outcome.serviceRequest?.fields ?? []).map { SentField($0, route, request) }
    documentRules = route?.graphQL?.words ?? []
    sentFields = (outcome.upstreamRequest?.fields ?? []).map { SentField($0, route, request) }
  }
}

extension Explanation {
  /// Goes through a request until all that it asks of others is answered.
  /// - Parameter answer: asks one of them. It is asked a question once.
  /// - Returns: the answers, and the index of the route that takes it.
  package static func answers(
    to request: RehearsedRequest, token: String?, in configuration: GatewayConfiguration, keySets: [KeySet?],
    revocations: [Revocations?], unixSeconds: Int64,
    _ answer: @Sendable (OpenQuestion) async -> (answer: Answer, origin: String)
  ) async -> (answers: KnownAnswers, route: Int?) {
    let request = request.with(token)
    var answers = KnownAnswers()
    for _ in 0..<KnownAnswers.countMax {
      let outcome = Rehearsal(
        configuration.withoutRateLimits, keySets: keySets, revocations: revocations, answers: answers,
        unixSeconds: unixSeconds
      ).outcome(of: request)
      guard let question = outcome.openQuestion else { return (answers, outcome.routeIndex) }
      let (found, origin) = await answer(question)
      answers.add(found, to: question, origin: origin)
    }
    return (answers, nil)
  }
}

extension RehearsedRequest {
  /// - Parameter token: sent as a bearer token. Nil sends none.
  fileprivate func with(_ token: String?) -> RehearsedRequest {
    var result = self
    if let token { result.fields.append(TestField(name: "Authorization", value: "Bearer \(token)")) }
    return result
  }
}

extension Explanation.SentField {
  fileprivate init(_ field: TestField, _ route: Route?, _ request: RehearsedRequest) {
    name = field.name
    let lowered = field.name.lowercased()
    let identity = (route?.identity.headerNames ?? []).map { $0.lowercased() }
    if route?.requestHeaders.writes(field.name) == true {
      (origin, value) = (.rule, nil)
    } else if route?.identity.assertion?.header.lowercased() == lowered {
      // What it says. Its signature is of a key that nobody has.
      (origin, value) = (.assertion, field.value.split(separator: ".").dropFirst().first.flatMap(Self.decoded))
    } else if identity.contains(lowered) {
      (origin, value) = (.identity, field.value)
    } else if request.has(field) {
      (origin, value) = (.client, ["authorization", "cookie", "dpop"].contains(lowered) ? nil : field.value)
    } else {
      (origin, value) = (.gateway, field.value)
    }
  }
}

extension Explanation.SentField {
  fileprivate static func decoded(_ part: Substring) -> String? {
    Base64URL.decode(Array(part.utf8).span).map { String(decoding: $0, as: UTF8.self) }
  }
}

extension RehearsedRequest {
  fileprivate func has(_ field: TestField) -> Bool {
    field.name.lowercased() == "host"
      ? field.value == url.authority
      : fields.contains { $0.name.lowercased() == field.name.lowercased() && $0.value == field.value }
  }

  /// Of Authorization.
  fileprivate var bearerToken: String? {
    guard let value = RehearsedOutcome.value(of: "Authorization", in: fields) else { return nil }
    let words = value.split(separator: " ")
    return words.count == 2 && ["bearer", "dpop"].contains(words[0].lowercased()) ? String(words[1]) : nil
  }
}

/// What issuers would be asked about a token, which nobody is asked here.
private struct Questions {
  var words: [String] = []
  /// Whether nothing of the token can be checked here.
  var areAll = false
}

extension TokenRequirement {
  fileprivate func questions(about token: [UInt8], _ issuers: [Issuer]) -> Questions {
    var result = Questions()
    let isJWT = token.count { $0 == UInt8(ascii: ".") } == 2
    for issuer in self.issuers.map({ issuers[$0] }) where issuer.introspection != nil {
      if !isJWT {
        result.words.append("introspection: \(issuer.name) would be asked whose the token is")
        result.areAll = true
      } else if issuer.policy.jwtQuestion != nil {
        result.words.append("introspection: \(issuer.name) would be asked about a token that names it")
      }
    }
    return result
  }

  /// What a token must have beside what its issuer's rules say.
  fileprivate var words: [String] {
    var result: [String] = []
    if !scopes.names.isEmpty {
      result.append("scope: \(scopes.isAny ? "one of " : "")\(scopes.names.joined(separator: ", "))")
    }
    switch proof {
    case .none: break
    case .dpop: result.append("proof: by the key that the token is bound to (DPoP)")
    case .mtls: result.append("proof: by the client certificate that the token is bound to")
    case .any: result.append("proof: by a key or a client certificate that the token is bound to")
    }
    result += audiences.map { "aud: \($0.audiences.joined(separator: " or "))" }
    result += claims.map { "claim \($0.claim): \($0.values.map(\.text).joined(separator: " or "))" }
    if mode == .shadow { result.append("nothing, as it is in shadow: every request passes") }
    if isOptional { result.append("a request without a token passes as well") }
    return result
  }
}
