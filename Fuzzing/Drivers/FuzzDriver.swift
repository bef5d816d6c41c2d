// The drivers: one for each parser that hostile bytes reach. A driver is a function of bytes that throws where
// something does not hold. libFuzzer calls it with bytes that it makes up, the tests with those that are kept in the
// tree.

/// The raw values name the folders of corpora, and what `make fuzz TARGET=…` takes.
package enum FuzzDriver: String, CaseIterable, Sendable {
  case certificates
  case chunkedBodies = "chunked-bodies"
  case configurations
  case credentials
  case denylists
  case dnsAnswers = "dns-answers"
  case errorPages = "error-pages"
  case exchanges
  case forwardedFields = "forwarded-fields"
  case graphQLDocuments = "graphql-documents"
  case http2Frames = "http2-frames"
  case json
  case keySets = "key-sets"
  case proofs
  case proxyHeaders = "proxy-headers"
  case redisReplies = "redis-replies"
  case requestHeads = "request-heads"
  case responseHeads = "response-heads"
  case sessionValues = "session-values"
  case statusLists = "status-lists"
  case targets
  case tokens
  case webSocketFrames = "websocket-frames"
  /// Its rule is broken by one input, which both kinds of callers have to find.
  case canary

  package func run(_ input: [UInt8]) throws {
    switch self {
    case .certificates: try fuzzCertificates(input)
    case .chunkedBodies: try fuzzChunkedBodies(input)
    case .configurations: try fuzzConfigurations(input)
    case .credentials: try fuzzCredentials(input)
    case .denylists: try fuzzDenylists(input)
    case .dnsAnswers: try fuzzDNSAnswers(input)
    case .errorPages: try fuzzErrorPages(input)
    case .exchanges: try fuzzExchanges(input)
    case .forwardedFields: try fuzzForwardedFields(input)
    case .graphQLDocuments: try fuzzGraphQLDocuments(input)
    case .http2Frames: try fuzzHTTP2Frames(input)
    case .json: try fuzzJSON(input)
    case .keySets: try fuzzKeySets(input)
    case .proofs: try fuzzProofs(input)
    case .proxyHeaders: try fuzzProxyHeaders(input)
    case .redisReplies: try fuzzRedisReplies(input)
    case .requestHeads: try fuzzRequestHeads(input)
    case .responseHeads: try fuzzResponseHeads(input)
    case .sessionValues: try fuzzSessionValues(input)
    case .statusLists: try fuzzStatusLists(input)
    case .targets: try fuzzTargets(input)
    case .tokens: try fuzzTokens(input)
    case .webSocketFrames: try fuzzWebSocketFrames(input)
    case .canary: try fuzzCanary(input)
    }
  }
}
