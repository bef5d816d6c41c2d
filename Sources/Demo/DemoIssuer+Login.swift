// The demo's issuer as an OpenID provider: a page to sign in, the token end point, and the end of a session.
// Everybody may sign in as anybody.

internal import Bytes
internal import ControlPlane
internal import Cryptography
import Glibc
internal import JSON
internal import Tokens

extension DemoIssuer {
  // MARK: Signing in

  /// The page that a browser is sent to. A `login_hint` with `prompt=none` signs in without a page.
  func authorizationPage(_ request: SmallRequest) -> SmallResponse {
    if let problem = Self.problem(of: request) { return .text("\(problem)\n", status: 400) }
    if request.parameter("prompt") == "none" {
      guard let hint = request.parameter("login_hint") else { return redirect(request, [("error", "login_required")]) }
      return signIn(as: hint, request)
    }
    let names = ["ada", "grace", "linus"].map { "<button name=\"sub\" value=\"\($0)\">\($0)</button>" }
    let page = """
      <!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title>
      <h1>Sign in to the demo</h1>
      <form method="post" action="\(Self.escaped(request.target))">\(names.joined(separator: " "))
      <button name="deny" value="true">cancel</button></form></html>

      """
    return SmallResponse(
      status: 200, fields: [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")],
      body: Array(page.utf8))
  }

  /// The answer of the page's form.
  func authorize(_ request: SmallRequest) -> SmallResponse {
    if let problem = Self.problem(of: request) { return .text("\(problem)\n", status: 400) }
    let form = SmallRequest.parameters(String(decoding: request.body, as: UTF8.self))
    if form.contains(where: { $0.name == "deny" }) { return redirect(request, [("error", "access_denied")]) }
    guard let subject = form.first(where: { $0.name == "sub" })?.value else {
      return .text("Nobody signs in.\n", status: 400)
    }
    return signIn(as: subject, request)
  }

  private func signIn(as subject: String, _ request: SmallRequest) -> SmallResponse {
    guard let session = RandomText.make(), let clientID = request.parameter("client_id"),
      let redirectURI = request.parameter("redirect_uri"), let challenge = request.parameter("code_challenge")
    else { return .text("Not now.\n", status: 503) }
    let login = DemoLogin(
      clientID: clientID, redirectURI: redirectURI, challenge: challenge, nonce: request.parameter("nonce"),
      scope: request.parameter("scope") ?? "openid", subject: subject,
      context: request.parameter("acr_values")?.split(separator: " ").first.map(String.init), session: session,
      signedInAt: Int64(time(nil)), isSignInTimeWanted: request.parameter("max_age") != nil)
    guard let code = logins.signIn(login) else { return .text("Not now.\n", status: 503) }
    return redirect(request, [("code", code)])
  }

  private static func problem(of request: SmallRequest) -> String? {
    guard request.parameter("client_id") != nil else { return "No client_id." }
    guard let place = request.parameter("redirect_uri"), FetchURL(place) != nil else { return "No redirect_uri." }
    if request.parameter("response_type") != "code" { return "The response_type is code." }
    if request.parameter("code_challenge") == nil || request.parameter("code_challenge_method") != "S256" {
      return "No code_challenge by S256."
    }
    let scopes = request.parameter("scope")?.split(separator: " ") ?? []
    return scopes.contains("openid") ? nil : "No scope openid."
  }

  private func redirect(_ request: SmallRequest, _ parameters: [(name: String, value: String)]) -> SmallResponse {
    var parameters = parameters
    if let state = request.parameter("state") { parameters.append(("state", state)) }
    switch faults.issuer {
    case "missing": break
    case "wrong": parameters.append(("iss", "https://other.example"))
    default: parameters.append(("iss", url))
    }
    let place = FormEncoding.append(parameters, to: request.parameter("redirect_uri") ?? "/")
    return SmallResponse(status: 303, fields: [("Location", place), ("Cache-Control", "no-store")])
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("\"", with: "&quot;").replacing("<", with: "&lt;")
  }

  // MARK: Tokens

  /// Codes and refresh tokens become tokens. Nil where the form asks for something else.
  func grant(_ form: [(name: String, value: String)], _ request: SmallRequest) async -> SmallResponse? {
    func value(_ name: String) -> String? { form.first { $0.name == name }?.value }
    let type = value("grant_type")
    guard type == "authorization_code" || type == "refresh_token" else { return nil }
    let isRefresh = type == "refresh_token"
    let client = Self.client(form, request)
    calls.authentication = client.authentication
    if isRefresh { calls.refreshes += 1 } else { calls.codes += 1 }
    if let fault = fault(isRefresh: isRefresh) {
      if fault == "silent" { await Self.beSilent() }
      return Self.failure(fault)
    }
    guard let login = login(form, clientID: client.id, isRefresh: isRefresh) else {
      return Self.failure("invalid_grant")
    }
    return tokens(for: login, isRefresh: isRefresh)
  }

  private func fault(isRefresh: Bool) -> String? {
    if isRefresh, let fault = faults.refresh { return fault }
    return faults.token
  }

  private static func beSilent() async { try? await Task.sleep(for: .seconds(10)) }

  private func login(
    _ form: [(name: String, value: String)], clientID: String, isRefresh: Bool
  ) -> DemoLogin? {
    func value(_ name: String) -> String { form.first { $0.name == name }?.value ?? "" }
    if isRefresh { return logins.refresh(value("refresh_token"), clientID: clientID) }
    return logins.redeem(
      value("code"), clientID: clientID, redirectURI: value("redirect_uri"), verifier: value("code_verifier"),
      now: Int64(time(nil)))
  }

  private static func client(
    _ form: [(name: String, value: String)], _ request: SmallRequest
  ) -> (id: String, authentication: String) {
    func value(_ name: String) -> String? { form.first { $0.name == name }?.value }
    if let field = request.field("Authorization"), field.hasPrefix("Basic ") {
      let text = Array(field.dropFirst(6).utf8).map { byte in
        byte == UInt8(ascii: "+") ? UInt8(ascii: "-") : byte == UInt8(ascii: "/") ? UInt8(ascii: "_") : byte
      }
      let unpadded = Array(text.prefix { $0 != UInt8(ascii: "=") })
      let pair = Base64URL.decode(unpadded.span) ?? []
      let id = String(decoding: pair.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
      return (SmallRequest.parameters(id).first?.name ?? "", "client_secret_basic")
    }
    let how =
      value("client_assertion") != nil
      ? "private_key_jwt" : value("client_secret") != nil ? "client_secret_post" : "none"
    return (value("client_id") ?? "", how)
  }

  private static func failure(_ word: String) -> SmallResponse {
    if let status = Int(word) { return .json(Array("{\"error\":\"server_error\"}\n".utf8), status: status) }
    if word == "html" {
      return SmallResponse(status: 200, fields: [("Content-Type", "text/html")], body: Array("<h1>Hello</h1>\n".utf8))
    }
    return .json(Array("{\"error\":\"\(word == "silent" ? "server_error" : "invalid_grant")\"}\n".utf8), status: 400)
  }

  private func tokens(for login: DemoLogin, isRefresh: Bool) -> SmallResponse {
    var wanted = DemoToken(audience: audience)
    wanted.subject = login.subject
    wanted.scope = login.scope
    wanted.expiresInSeconds = faults.expiresInSeconds ?? loginSeconds
    wanted.claims = [("sid", login.session), ("client_id", login.clientID)]
    guard let accessToken = mint(wanted), let refreshToken = logins.issueRefreshToken(for: login) else {
      return Self.failure("500")
    }
    var out = ByteQueue()
    out.append("{\"access_token\":")
    JSONWriter.append(string: accessToken, to: &out)
    out.append(",\"token_type\":\"Bearer\",\"expires_in\":")
    JSONWriter.append(integer: wanted.expiresInSeconds, to: &out)
    if login.scope.split(separator: " ").contains("offline_access") {
      out.append(",\"refresh_token\":")
      JSONWriter.append(string: refreshToken, to: &out)
    }
    if faults.idToken != "missing", let idToken = idToken(for: login, accessToken, isRefresh: isRefresh) {
      out.append(",\"id_token\":")
      JSONWriter.append(string: idToken, to: &out)
    }
    out.append("}\n")
    var response = SmallResponse.json(out.copied())
    response.fields.append(("Cache-Control", "no-store"))
    return response
  }

  private func idToken(for login: DemoLogin, _ accessToken: String, isRefresh: Bool) -> String? {
    let fault = faults.idToken
    var token = DemoToken(audience: fault == "aud" ? "another-client" : login.clientID)
    token.subject = login.subject
    token.scope = login.scope
    token.isForged = fault == "forged"
    token.expiresInSeconds = fault == "expired" ? -3600 : 300
    let digest = SHA256.digest((fault == "at_hash" ? "other" : accessToken).utf8.span)
    let half = String(decoding: Base64URL.encode(digest.span.extracting(first: 16)), as: UTF8.self)
    token.claims = [
      ("at_hash", half), ("sid", login.session), ("name", login.subject.capitalizedWord),
      ("email", "\(login.subject)@example.com"),
    ]
    if fault == "azp" { token.claims.append(("azp", "another-client")) }
    if login.isSignInTimeWanted, fault != "auth_time" {
      token.signedInAt = login.signedInAt - (fault == "max_age" ? 86_400 : 0)
    }
    if let context = login.context, fault != "acr" { token.claims.append(("acr", context)) }
    if !isRefresh, let nonce = login.nonce { token.claims.append(("nonce", fault == "nonce" ? "other" : nonce)) }
    return mint(token, issuer: fault == "iss" ? "https://other.example" : nil)
  }

  // MARK: Signing out

  /// RP-initiated logout: the session ends here, and the browser goes back.
  func endSession(_ request: SmallRequest) -> SmallResponse {
    if let hint = request.parameter("id_token_hint"), let session = Self.session(in: hint) {
      logins.end(session: session)
    }
    guard let place = request.parameter("post_logout_redirect_uri"), FetchURL(place) != nil else {
      return .text("Signed out.\n")
    }
    let state = request.parameter("state").map { [(name: "state", value: $0)] } ?? []
    return SmallResponse(
      status: 303, fields: [("Location", state.isEmpty ? place : FormEncoding.append(state, to: place))])
  }

  private static func session(in token: String) -> String? {
    let parts = token.split(separator: ".")
    if parts.count != 3 { return nil }
    let text = Array(parts[1].utf8)
    guard let payload = Base64URL.decode(text.span), let claims = try? JSONDocument(payload) else { return nil }
    return claims.member("sid".utf8.span, of: claims.root).flatMap { claims.string(at: $0) }
  }

  /// `POST /logout-everywhere?sub=ada&to=URL`: ends the sessions of a person, and tells the client so at its
  /// back-channel address, or at the one that it has registered. `sid=true` names one session of theirs in place of the
  /// person. `fault` makes a logout token that is none.
  func logoutEverywhere(_ request: SmallRequest) async -> SmallResponse {
    guard let subject = request.parameter("sub"), let place = request.parameter("to") ?? backChannel,
      FetchURL(place) != nil
    else {
      return .text("sub and to are missing.\n", status: 400)
    }
    let sessions = logins.sessions(of: subject)
    let clientID = request.parameter("client_id") ?? sessions.first?.clientID ?? audience
    let session = request.parameter("sid") == nil ? nil : sessions.last?.session
    guard let token = logoutToken(subject, session, clientID, fault: request.parameter("fault")) else {
      return .text("No token.\n", status: 500)
    }
    for login in sessions where session == nil || login.session == session { logins.end(session: login.session) }
    let form = Posting(
      fields: [("Content-Type", "application/x-www-form-urlencoded")], body: Array("logout_token=\(token)".utf8))
    let first = await show(form, at: place)
    // The same token twice is one that somebody has caught and sends again.
    let second = request.parameter("fault") == "replay" ? " " + (await show(form, at: place)) : ""
    return .text("\(first)\(second)\n")
  }

  private func show(_ form: Posting, at place: String) async -> String {
    do {
      return "\(try await fetcher.post(form, to: place).status)"
    } catch {
      return "\(error)"
    }
  }

  private func logoutToken(_ subject: String, _ session: String?, _ clientID: String, fault: String?) -> String? {
    let now = Int64(time(nil))
    let event = fault == "events" ? "" : ",\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}"
    let nonce = fault == "nonce" ? ",\"nonce\":\"n\"" : ""
    let issuer = fault == "iss" ? "https://other.example" : url
    var name = ByteQueue()
    JSONWriter.append(string: session ?? subject, to: &name)
    var client = ByteQueue()
    JSONWriter.append(string: clientID, to: &client)
    guard let id = RandomText.make() else { return nil }
    let who = "\"\(session == nil ? "sub" : "sid")\":\(name.text())"
    let payload =
      "{\"iss\":\"\(issuer)\",\(who),\"aud\":\(client.text()),\"iat\":\(now),\"exp\":\(now + 120)"
      + ",\"jti\":\"\(id)\"\(event)\(nonce)}"
    return sign(payload, type: fault == "typ" ? "at+jwt" : "logout+jwt")
  }
}

extension String {
  /// With its first letter in upper case.
  fileprivate var capitalizedWord: String { prefix(1).uppercased() + dropFirst() }
}
