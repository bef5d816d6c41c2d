// All logins of the file: finds the one that a browser is at, and puts what comes of it into the words of the data
// plane.

internal import Bytes
package import Configuration
internal import Cryptography
internal import Glibc
package import Logging
internal import NIOPosix
package import Tokens

package actor LoginServices {
  private var services: [String: (rules: LoginRules, secrets: [String], service: LoginService)] = [:]
  private let fetcher: DocumentFetcher
  private let registry: KeySetRegistry
  private let sessions: SessionLists
  private let log: Logger
  private let now: @Sendable () -> Int64

  /// LIMIT: a failure of the same kind is logged once in so many seconds.
  private static let logPauseSeconds: Int64 = 10
  private var loggedAt: [String: Int64] = [:]

  package init(registry: KeySetRegistry, sessions: SessionLists, log: Logger) {
    self.sessions = sessions
    fetcher = DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton)
    self.registry = registry
    self.log = log
    now = { Int64(time(nil)) }
  }

  /// Takes over a configuration. A login that stays as it was keeps what it knows of its provider.
  package func apply(_ configuration: GatewayConfiguration) {
    let before = services
    services = [:]
    guard let keys = SealingKeys(secrets: configuration.secrets.map { Array($0.utf8) }, purpose: "login") else {
      return
    }
    for (index, session) in configuration.sessions.enumerated() {
      guard let login = session.login, configuration.issuers.indices.contains(login.issuer) else { continue }
      let issuer = configuration.issuers[login.issuer]
      let rules = LoginRules(
        session: session.name, issuer: issuer, login: login, contexts: Self.contexts(of: index, configuration))
      if let kept = before[session.name], kept.rules == rules, kept.secrets == configuration.secrets {
        services[session.name] = kept
        continue
      }
      let environment = LoginService.Environment(
        fetcher: fetcher, keys: { [registry] in await registry.keySet(ofIssuer: issuer.name) },
        refreshKeys: { [registry] in await registry.requestRefresh(issuer: issuer.name) }, now: now)
      services[session.name] = (
        rules, configuration.secrets, LoginService(rules, keys: keys, environment: environment)
      )
    }
  }

  private static func contexts(of session: Int, _ configuration: GatewayConfiguration) -> Set<String> {
    var contexts: Set<String> = []
    for route in configuration.routes {
      guard case .token(let requirement) = route.auth, requirement.sessions.contains(session) else { continue }
      for claim in requirement.claims where claim.isContext { contexts.formUnion(claim.contexts) }
    }
    return contexts
  }

  /// What the browser is told.
  package func answer(_ request: LoginRequest) async -> LoginReply {
    guard let entry = services[request.session] else {
      return .failed(code: LoginFault.providerUnavailable("").code, cookies: [])
    }
    let visit = LoginVisit(
      origin: request.origin, parameters: SmallRequest.parameters(String(decoding: request.query, as: UTF8.self)),
      cookies: Self.cookies(request.cookies))
    let outcome: LoginOutcome
    switch request.step {
    case .start: outcome = await entry.service.start(visit)
    case .callback: outcome = await entry.service.callback(visit)
    case .logout:
      let place = await entry.service.logoutURL(visit, idToken: await idToken(of: request))
      outcome = .redirect(to: place ?? entry.rules.login.afterLogout, cookies: [])
    case .backChannel:
      do throws(LoginFault) {
        try await endSessions(visit.parameters, entry.rules, entry.service)
        return .accepted
      } catch {
        outcome = .failed(error, cookies: [])
      }
    }
    switch outcome {
    case .redirect(let place, let cookies): return .redirect(to: place, cookies: cookies)
    case .signedIn(let person, let cookies):
      return .signedIn(entry.rules.session(of: person, now: now()), returnTo: person.returnTo, cookies: cookies)
    case .failed(let fault, let cookies):
      report(fault, of: request.session)
      return .failed(code: fault.code, cookies: cookies)
    }
  }

  /// Others for the tokens of a session. A failure is logged.
  package func refreshed(_ tokens: ProviderTokens, of session: String) async throws(LoginFault) -> ProviderTokens {
    guard let service = services[session]?.service else { throw .providerUnavailable("no_login") }
    do throws(LoginFault) {
      return try await service.refreshed(tokens)
    } catch {
      report(error, of: session, "tokens of a session were not refreshed")
      throw error
    }
  }

  // MARK: Ends

  /// For the provider, so that it knows who signs out. Nil where the list does not answer: a person can sign out all
  /// the same.
  private func idToken(of request: LoginRequest) async -> String? {
    guard let digest = request.digest, let kept = try? await sessions.list(of: request.session).tokens(of: digest),
      let tokens = ProviderTokens(encoded: kept.bytes), !tokens.idToken.isEmpty
    else { return nil }
    return String(decoding: tokens.idToken, as: UTF8.self)
  }

  /// The provider says that a person, or one of their browsers, has signed out.
  private func endSessions(
    _ form: [(name: String, value: String)], _ rules: LoginRules, _ service: LoginService
  ) async throws(LoginFault) {
    let token = try await service.logoutToken(in: form)
    let name = SHA256.digest(Array("logout \(rules.issuer.name) ".utf8).span) + token.id
    guard let holder = RandomBytes.make(16) else { throw .listUnavailable }
    let isFirst: Bool
    do throws(SessionListUnavailable) {
      // Nobody gives this lock back, so the token counts once in all gateways until it is too old (T112).
      isFirst = try await sessions.list(of: rules.session).lock(
        SHA256.digest(name.span), holder: holder,
        seconds: LogoutTokenCheck.ageMaxSeconds + 2 * rules.issuer.policy.leewaySeconds)
    } catch {
      throw .listUnavailable
    }
    if !isFirst { throw .logoutTokenInvalid("replayed") }
    do throws(SessionListUnavailable) {
      let issuer = rules.issuer.name
      if let session = token.session, !session.isEmpty {
        _ = try await sessions.end(.providerSession(issuer: issuer, session))
      } else {
        _ = try await sessions.end(.owner(issuer: issuer, subject: token.subject ?? []))
      }
    } catch {
      throw .listUnavailable
    }
  }

  private func report(_ fault: LoginFault, of session: String, _ event: Logger.Message = "a login did not succeed") {
    let word: String
    switch fault {
    case .refused(let text), .providerUnavailable(let text), .tokenInvalid(let text), .logoutTokenInvalid(let text):
      word = text
    case .listUnavailable: word = "session_store_unavailable"
    // Anybody can send these.
    case .attemptUnknown, .answerMalformed, .issuerMismatch: return
    }
    let key = "\(session) \(fault.code) \(event)"
    if let last = loggedAt[key], now() - last < Self.logPauseSeconds { return }
    loggedAt[key] = now()
    log.warning(
      event, metadata: ["session": "\(session)", "code": "\(fault.code)", "reason": "\(word)"])
  }

  /// `a=b; c=d`. A value in quotes stays so.
  private static func cookies(_ bytes: [UInt8]) -> [(name: String, value: String)] {
    String(decoding: bytes, as: UTF8.self).split(separator: ";").compactMap { pair in
      let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }
  }
}
