// Logins with one OpenID provider (code flow with PKCE, OpenID Connect Core 1.0 §3.1). What is under way is in the
// browser's cookies, so any copy of the gateway can answer the callback.

internal import Bytes
internal import Configuration
package import Cryptography
internal import JSON
package import Tokens

/// What becomes of a browser at one of the paths of a login. Cookies are values of Set-Cookie.
package enum LoginOutcome: Sendable, Equatable {
  case redirect(to: String, cookies: [String])
  /// Who signed in, and where the browser was on its way to.
  case signedIn(SignedIn, cookies: [String])
  case failed(LoginFault, cookies: [String])
}

package struct SignedIn: Sendable, Equatable {
  /// Those of the ID token, as JSON.
  package var claims: [UInt8]
  var tokens: TokenGrant
  /// A path of this host.
  package var returnTo: String
}

/// What a browser brings to a path of a login.
package struct LoginVisit: Sendable {
  /// Scheme and authority that the browser came to, such as `https://shop.example.com`.
  package var origin: String
  /// Of the query, decoded.
  package var parameters: [(name: String, value: String)]
  package var cookies: [(name: String, value: String)]

  package init(
    origin: String, parameters: [(name: String, value: String)] = [], cookies: [(name: String, value: String)] = []
  ) {
    self.origin = origin
    self.parameters = parameters
    self.cookies = cookies
  }

  func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}

package actor LoginService {
  package struct Environment: Sendable {
    /// Documents and messages of the provider.
    package var fetcher: DocumentFetcher
    /// The provider's keys as they are now.
    package var keys: @Sendable () async -> KeySet?
    /// Asks the provider for newer keys.
    package var refreshKeys: @Sendable () async -> Void
    /// Seconds since 1970.
    package var now: @Sendable () -> Int64

    package init(
      fetcher: DocumentFetcher, keys: @escaping @Sendable () async -> KeySet?,
      refreshKeys: @escaping @Sendable () async -> Void, now: @escaping @Sendable () -> Int64
    ) {
      self.fetcher = fetcher
      self.keys = keys
      self.refreshKeys = refreshKeys
      self.now = now
    }
  }

  private let rules: LoginRules
  private let idTokenRules: IssuerRules
  private let logoutTokenRules: IssuerRules
  private let environment: Environment
  private let cookies: LoginCookies
  private let provider: ProviderDirectory
  private let verifier = TokenVerifier()

  /// LIMIT: the provider answers within this time, or the login has failed for now.
  private static let deadline = Duration.seconds(5)

  /// What a page may ask the provider to ask the person. Others could end in an error.
  private static let prompts = ["login", "select_account", "consent"]

  package init(_ rules: LoginRules, keys: SealingKeys, environment: Environment) {
    self.rules = rules
    idTokenRules = rules.idTokenRules
    logoutTokenRules = rules.logoutTokenRules
    self.environment = environment
    cookies = LoginCookies(keys: keys, session: rules.session, path: rules.login.paths.callback.description)
    provider = ProviderDirectory(rules.issuer, fetcher: environment.fetcher, now: environment.now)
  }

  /// Sends the browser to the provider.
  package func start(_ visit: LoginVisit) async -> LoginOutcome {
    let metadata: ProviderMetadata
    do throws(LoginFault) {
      metadata = try await provider.metadata()
    } catch {
      return .failed(error, cookies: [])
    }
    let returnTo = ReturnTarget.checked(visit.parameter("return_to")) ?? rules.login.afterLogin
    let now = environment.now()
    let wanted = (visit.parameter("acr_values") ?? "").split(separator: " ").map(String.init)
    let contexts = wanted.filter { rules.contexts.contains($0) }
    guard let attempt = LoginAttempt(returnTo: returnTo, contexts: contexts, now: now),
      let lines = cookies.begin(attempt, among: visit.cookies, now: now)
    else { return .failed(.providerUnavailable("no randomness"), cookies: []) }
    var query: [(name: String, value: String)] = [
      ("response_type", "code"), ("client_id", rules.login.clientID), ("redirect_uri", callbackURL(visit)),
      ("scope", rules.login.scopes.joined(separator: " ")), ("state", attempt.state), ("nonce", attempt.nonce),
      ("code_challenge", attempt.challenge), ("code_challenge_method", "S256"),
    ]
    if !contexts.isEmpty { query.append(("acr_values", contexts.joined(separator: " "))) }
    if let seconds = rules.login.maxAgeSeconds { query.append(("max_age", "\(seconds)")) }
    if let prompt = visit.parameter("prompt"), Self.prompts.contains(prompt) { query.append(("prompt", prompt)) }
    return .redirect(to: FormEncoding.append(query, to: metadata.authorizationEndpoint.text), cookies: lines)
  }

  /// The browser comes back from the provider.
  package func callback(_ visit: LoginVisit) async -> LoginOutcome {
    let state = visit.parameter("state") ?? ""
    let attempt = cookies.attempt(withState: state, in: visit.cookies)
    // An attempt is over with its first answer, whatever that was (T107).
    let ended = attempt == nil ? [] : [cookies.end(ofState: state)]
    do throws(LoginFault) {
      let answer = try LoginAnswer(visit.parameters)
      guard let attempt else { throw .attemptUnknown }
      let metadata = try await provider.metadata()
      let code = try answer.code(for: attempt, of: metadata, now: environment.now())
      let grant = try await redeem(code, attempt, visit, metadata)
      return .signedIn(try await signIn(grant, attempt), cookies: ended)
    } catch {
      return .failed(error, cookies: ended)
    }
  }

  /// Where the browser goes to sign out at the provider as well. Nil where the provider has no such place.
  package func logoutURL(_ visit: LoginVisit, idToken: String?) async -> String? {
    guard let metadata = try? await provider.metadata(), let place = metadata.endSessionEndpoint else { return nil }
    var query: [(name: String, value: String)] = [
      ("client_id", rules.login.clientID), ("post_logout_redirect_uri", visit.origin + rules.login.afterLogout),
    ]
    // LIMIT: servers do not take longer addresses.
    if let idToken, idToken.utf8.count <= 6000 { query.append(("id_token_hint", idToken)) }
    return FormEncoding.append(query, to: place.text)
  }

  /// Whose sessions the provider ends.
  /// - Parameter form: what it has posted.
  package func logoutToken(
    in form: [(name: String, value: String)]
  ) async throws(LoginFault) -> LogoutTokenCheck {
    let tokens = form.filter { $0.name == "logout_token" }
    guard tokens.count == 1 else { throw .logoutTokenInvalid("not_one_logout_token") }
    let caller: Caller
    do throws(LoginFault) {
      caller = try await verified(tokens[0].value, logoutTokenRules)
    } catch {
      guard case .tokenInvalid(let word) = error else { throw error }
      throw .logoutTokenInvalid(word)
    }
    do throws(LogoutTokenCheck.Fault) {
      return try LogoutTokenCheck(
        caller, leewaySeconds: rules.issuer.policy.leewaySeconds, now: environment.now())
    } catch {
      throw .logoutTokenInvalid(error.rawValue)
    }
  }

  private func callbackURL(_ visit: LoginVisit) -> String { visit.origin + rules.login.paths.callback.description }

  private func redeem(
    _ code: String, _ attempt: LoginAttempt, _ visit: LoginVisit, _ metadata: ProviderMetadata
  ) async throws(LoginFault) -> TokenGrant {
    let form: [(name: String, value: String)] = [
      ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", callbackURL(visit)),
      ("code_verifier", attempt.verifier),
    ]
    return try await grant(form, metadata)
  }

  /// Asks the token end point, as the client that the file says.
  private func grant(
    _ form: [(name: String, value: String)], _ metadata: ProviderMetadata
  ) async throws(LoginFault) -> TokenGrant {
    let client: ClientAuthentication
    if let file = rules.login.privateKey {
      client = .privateKey(try ClientKey(file: file))
    } else {
      client = rules.login.clientSecret.map { .secret($0, for: metadata) } ?? .none
    }
    let posting = try client.posting(form, clientID: rules.login.clientID, to: metadata, now: environment.now())
    return try TokenGrant(try await post(posting, to: metadata.tokenEndpoint))
  }

  private func post(_ posting: Posting, to url: FetchURL) async throws(LoginFault) -> Document {
    do throws(FetchError) {
      return try await environment.fetcher.post(
        posting, to: url.text, trust: provider.trust, deadline: Self.deadline, byteCountMax: 1 << 17)
    } catch {
      throw .providerUnavailable(error.code)
    }
  }

  private func signIn(_ grant: TokenGrant, _ attempt: LoginAttempt) async throws(LoginFault) -> SignedIn {
    guard let idToken = grant.idToken else { throw .tokenInvalid("no_id_token") }
    let caller = try await verified(idToken, idTokenRules)
    do throws(IDTokenCheck.Fault) {
      try IDTokenCheck.check(
        caller, clientID: rules.login.clientID, nonce: attempt.nonce, accessToken: grant.accessToken)
      if let seconds = rules.login.maxAgeSeconds {
        // Who takes their time at the provider is not late: its age counts from when the browser was sent there.
        try IDTokenCheck.checkSignIn(
          caller, since: attempt.beganAt - seconds - rules.issuer.policy.leewaySeconds)
      }
    } catch {
      throw .tokenInvalid(error.rawValue)
    }
    if !attempt.contexts.isEmpty, !caller.satisfies(attempt.requirement) {
      // Otherwise the browser would be sent around in a circle.
      throw .refused("unmet_authentication_requirements")
    }
    return SignedIn(claims: caller.claims.bytes, tokens: grant, returnTo: attempt.returnTo)
  }

  /// Others for the tokens of a session.
  package func refreshed(_ tokens: ProviderTokens) async throws(LoginFault) -> ProviderTokens {
    let metadata = try await provider.metadata()
    let form: [(name: String, value: String)] = [
      ("grant_type", "refresh_token"), ("refresh_token", String(decoding: tokens.refreshToken, as: UTF8.self)),
    ]
    let grant = try await grant(form, metadata)
    if let idToken = grant.idToken { try await check(idToken, of: grant, after: tokens.idToken) }
    return rules.kept(grant, before: tokens, now: environment.now())
  }

  /// An ID token of a refresh is of the same person and sign-in, and has no nonce (OpenID Connect Core 1.0 §12.2).
  private func check(_ idToken: String, of grant: TokenGrant, after before: [UInt8]) async throws(LoginFault) {
    let caller = try await verified(idToken, idTokenRules)
    do throws(IDTokenCheck.Fault) {
      try IDTokenCheck.check(caller, clientID: rules.login.clientID, nonce: nil, accessToken: grant.accessToken)
    } catch {
      throw .tokenInvalid(error.rawValue)
    }
    let parts = before.split(separator: UInt8(ascii: "."))
    guard parts.count == 3, let payload = Base64URL.decode(Array(parts[1]).span),
      let claims = try? JSONDocument(payload),
      let subject = claims.member(Self.subject.span, of: claims.root).flatMap({ claims.stringBytes(at: $0) }),
      let own = caller.subject, caller.claims.stringEquals(own, subject.span)
    else { throw .tokenInvalid("sub_mismatch") }
    do throws(IDTokenCheck.Fault) {
      try IDTokenCheck.checkSignIn(caller, after: claims)
    } catch {
      throw .tokenInvalid(error.rawValue)
    }
  }

  private static let subject = Array("sub".utf8)

  /// By the same checks as all tokens. An unknown key is asked for once.
  private func verified(_ token: String, _ rules: IssuerRules) async throws(LoginFault) -> Caller {
    let bytes = Array(token.utf8)
    for isLast in [false, true] {
      let keys = await environment.keys()
      let verdict = verifier.verify(
        bytes.span, candidates: [0], issuers: [rules], keySets: [keys], now: environment.now())
      switch verdict {
      case .caller(let caller), .confirm(let caller): return caller
      case .refused(.keysUnavailable, _, _): throw .providerUnavailable("keys_unavailable")
      case .refused(let refusal, _, _): throw .tokenInvalid(refusal.rawValue)
      case .ask: if !isLast { await environment.refreshKeys() }
      }
    }
    throw .tokenInvalid("key_unknown")
  }
}
