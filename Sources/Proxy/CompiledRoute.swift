// A route as the data plane requires it: everything that can be prepared is bytes already.

import Bytes
import Configuration
import HTTPWire
import Tokens

/// One route, immutable, shared by all workers.
package final class CompiledRoute: Sendable {
  package let index: Int
  /// The route's id in the counters.
  let counterID: Int
  package let name: String
  /// What is the same in the span of each of its requests: how the name goes on behind the method, and attributes.
  /// Empty where nothing is traced.
  let spanName: [UInt8]
  let spanAttributes: [UInt8]
  let isPublic: Bool
  let token: TokenRules
  /// Nil lets clients of every address pass.
  let clients: ClientList?
  /// Nil asks nobody else.
  let service: CompiledService?
  /// The service is asked and nobody obeys it.
  let isServiceInShadow: Bool
  /// Who the caller is may follow from what browsers send for any page: a cookie, a password, or the client's
  /// certificate.
  let isCredentialSentUnasked: Bool

  let identity: IdentityRules
  let certificateFields: [(prefix: [UInt8], fact: ClientCertificateFact)]
  let isTokenForwarded: Bool
  /// `request_headers`, and the names that the gateway itself replaces.
  let requestFields: CompiledHeaderRules
  /// A bit for each field that the file's rules replace or remove, so that the gateway does not write its own.
  let ruledFields: UInt64
  /// `response_headers`, and with `cors` its own.
  let responseFields: CompiledHeaderRules
  /// What of them counts for answers that the gateway makes for reasons of its own.
  let ownAnswerFields: CompiledHeaderRules
  /// Whether fields of an upstream's answer are left out or changed, besides Location.
  let changesAnswerFields: Bool
  /// Whether the file's response rules name the type, so that a fixed answer does not.
  let isTypeRuled: Bool
  let cors: CORSPolicy?
  /// Those that are asked before the token is looked at, and those that count by it.
  let earlyRateLimits: [CompiledRateLimit]
  let tokenRateLimits: [CompiledRateLimit]

  /// What a path may have on this route.
  let keptOddities: PathOddities
  let rewrite: CompiledRewrite
  let action: Action
  /// Whether the request goes to an upstream at all.
  let isProxied: Bool
  /// The one upstream, where there is no split.
  let upstream: Int
  let split: PreparedSplit?
  let bodySizeMax: UInt64
  let timeout: Int64?
  /// Nil compresses nothing.
  let compression: CompressionPlan?
  let errorPages: ErrorPageTable
  /// Nil lets everyone through.
  let maintenance: MaintenanceClosure?
  /// Nil where the upstream's counts.
  let readTimeout: Int64?
  /// `X-Request-Deadline: `. Empty where the upstream does not receive it.
  let deadlinePrefix: [UInt8]
  let mirror: Mirroring?
  /// Nil looks into no body.
  let graphQL: CompiledGraphQL?
  /// Nil lets no WebSocket through.
  let webSocket: WebSocket?

  /// - Parameters:
  ///   - ownFields: that the gateway writes into answers, so that no upstream does.
  ///   - sets: those of field names that there are.
  ///   - apiKeys: those of the file.
  ///   - shadowIssuers: those of the file in shadow.
  ///   - nonceIssuers: those of the file whose proofs need nonces.
  ///   - requestIDHeader: that no client's goes on, unless it is X-Request-Id, which is known.
  init(
    _ route: Route, index: Int, identity: IdentityRules, service: CompiledService?, defaultBodySize: UInt64,
    rateLimits: [CompiledRateLimit], names: CounterNames, ownFields: [String], requestIDHeader: String,
    isTraced: Bool, apiKeys: [APIKeySet], shadowIssuers: [Int], nonceIssuers: [Int], sessionCookies: [LenientName],
    _ sets: inout FieldNameSets
  ) {
    self.index = index
    counterID = names.routeID(index)
    name = route.name
    spanName = isTraced ? Array(" \(route.path.description)".utf8) : []
    spanAttributes = isTraced ? SpanAttributes.make(of: route) : []
    let requirement: TokenRequirement? = if case .token(let wanted) = route.auth { wanted } else { nil }
    isPublic = requirement == nil
    // A session that began with a token that nobody may refuse would be a credential for everybody.
    let isOfSession = if case .session = route.action { true } else { false }
    token = TokenRules(
      requirement, apiKeys: apiKeys, shadowIssuers: isOfSession ? [] : shadowIssuers, nonceIssuers: nonceIssuers,
      sessionCookies: sessionCookies, isSessionTokenForwarded: identity.isSessionTokenForwarded, &sets)
    clients = route.clients
    self.service = service
    isServiceInShadow = route.authorize?.mode == .shadow
    self.identity = identity
    certificateFields = route.identity.headers.compactMap { header in
      if case .clientCertificate(let fact) = header.source { (Array("\(header.name): ".utf8), fact) } else { nil }
    }
    isCredentialSentUnasked =
      !certificateFields.isEmpty || route.isTokenSentUnasked(apiKeys: apiKeys) && !token.isShadow
    isTokenForwarded = route.identity.isTokenForwarded
    let isIDKnown = requestIDHeader == RequestIDRules.standardHeader
    rewrite = CompiledRewrite(route.rewrite, route.requestHeaders)
    let ownNames =
      (route.deadlineHeader.map { [$0] } ?? []) + (isIDKnown ? [] : [requestIDHeader]) + rewrite.ownNames
      // Messages that are compressed could not be read.
      + (route.webSocket?.isGraphQL == true ? ["Sec-WebSocket-Extensions"] : [])
    requestFields = CompiledHeaderRules(route.requestHeaders, dropping: ownNames, &sets)
    ruledFields = Self.ruledFields(of: route, requestIDHeader: isIDKnown ? nil : requestIDHeader)
    let exposed = token.fieldsForProofs
    cors = route.cors.map { CORSPolicy($0, methods: route.methods, exposing: exposed) }
    earlyRateLimits = rateLimits.filter { !$0.requiresToken }
    tokenRateLimits = rateLimits.filter(\.requiresToken)
    responseFields = CompiledHeaderRules(
      route.responseHeaders, dropping: (route.cors == nil ? [] : CORSPolicy.fieldNames) + ownFields, &sets)
    ownAnswerFields = CompiledHeaderRules(route.responseHeaders.ofOwnAnswers, dropping: [], &sets)
    changesAnswerFields = !responseFields.drops.isEmpty || rewrite.responses == .all
    isTypeRuled = (route.responseHeaders.remove + route.responseHeaders.set.map(\.name)).contains {
      $0.lowercased() == "content-type"
    }
    keptOddities = Self.keptOddities(of: route)
    action = route.action
    isProxied = !route.action.upstreams.isEmpty
    upstream = route.action.upstreams.first ?? 0
    if case .split(let split) = route.action { self.split = PreparedSplit(split) } else { split = nil }
    let bodySizeMax = route.bodySize ?? defaultBodySize
    self.bodySizeMax = min(bodySizeMax, route.graphQL?.bodySize ?? .max)
    graphQL = route.graphQL.map {
      CompiledGraphQL($0, routeScopes: requirement?.scopes.names ?? [], names: names)
    }
    timeout = route.timeout?.nanoseconds
    compression = route.compress.map(CompressionPlan.init)
    errorPages = ErrorPageTable(route.errorPages)
    maintenance = route.maintenance.map(MaintenanceClosure.init)
    readTimeout = route.readTimeout?.nanoseconds
    deadlinePrefix = route.deadlineHeader.map { Array("\($0): ".utf8) } ?? []
    mirror = route.mirror
    webSocket = route.webSocket
  }

  func isRuled(_ known: KnownField) -> Bool { ruledFields & known.bit != 0 }

  /// - Parameter requestIDHeader: which has the bit of X-Request-Id. Nil where that is the header.
  private static func ruledFields(of route: Route, requestIDHeader: String?) -> UInt64 {
    let names = (route.requestHeaders.remove + route.requestHeaders.set.map(\.name)).map { $0.lowercased() }
    let bits = names.reduce(0) { $0 | foldedField(of: $1.utf8.span).bit }
    guard let requestIDHeader else { return bits }
    let idBit = names.contains(requestIDHeader.lowercased()) ? KnownField.xRequestID.bit : 0
    return bits & ~KnownField.xRequestID.bit | idBit
  }

  private static func keptOddities(of route: Route) -> PathOddities {
    let slash: PathOddities = route.encodedSlash == .keep ? [.encodedSlash, .twiceEncodedSlash] : []
    return route.isMerged ? slash : slash.union(.emptySegments)
  }
}
