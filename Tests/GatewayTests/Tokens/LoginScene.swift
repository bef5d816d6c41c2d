// A gateway whose people sign in at the demo's issuer, and one browser.

import Demo
import NIOPosix
import TestSupport
import Testing

/// A gateway, a provider, and the cookies of one browser.
final class LoginScene {
  let provider: DemoIssuer
  let gateway: GatewayProcess
  private let configuration: String
  private var jar: [(name: String, value: String)] = []

  /// - Parameters:
  ///   - redis: where the sessions are. Nil for the gateway's memory.
  ///   - login: further keys of the login.
  ///   - routes: further ones.
  init(
    _ upstream: TestUpstream, login: String = #"client_secret: "s:1""#, session: String = "me: [sub, email]",
    routes: String = "", upstreams: String = "", redis: RedisServer? = nil
  ) async throws {
    provider = try await DemoIssuer.start(group: MultiThreadedEventLoopGroup.singleton)
    let stores = redis.map { "redis: { main: { servers: [\"\($0.address)\"] } }" } ?? ""
    configuration = """
      workers: 2
      secrets: ["0123456789abcdef0123456789abcdef"]
      \(stores)
      issuers:
        staff: { issuer: "\(provider.url)", audiences: [api] }
      upstreams:
        echo: { servers: ["\(upstream.address)"] }
        \(upstreams)
      sessions:
        web:
          store: \(redis == nil ? "memory" : "main")
          login: { issuer: staff, client_id: shop-web, \(login), after_login: /home, after_logout: /bye }
          \(session)
      routes:
        - path: /*
          auth: { sessions: [web] }
          identity: { headers: { X-User: sub } }
          upstream: echo
        - { path: /api/*, auth: { sessions: [web], challenge: 401 }, upstream: echo }
        \(routes)
      """
    gateway = try await GatewayProcess.start(configuration)
    try await gateway.waitUntilReady()
  }

  private static func text(_ method: String, _ target: String, host: String, _ fields: [String]) -> String {
    (["\(method) \(target) HTTP/1.1", "Host: \(host)", "Connection: close"] + fields).map { $0 + "\r\n" }.joined()
      + "\r\n"
  }

  /// As a browser that opens a page, with its cookies.
  func open(
    _ target: String, method: String = "GET", _ fields: [String] = ["Sec-Fetch-Mode: navigate"]
  ) async throws -> RawResponse {
    let cookies = jar.map { "Cookie: \($0.name)=\($0.value)" }
    let response = try await gateway.exchange(
      Self.text(
        method, target, host: "shop.example.com",
        fields + cookies + (method == "POST" ? ["Content-Length: 0"] : [])), method: method)
    for line in response.values(of: "Set-Cookie") { take(line) }
    return response
  }

  private func take(_ line: String) {
    let pair = line.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    jar.removeAll { $0.name == pair[0] }
    if !line.contains("Max-Age=0") { jar.append((String(pair[0]), String(pair[1]))) }
  }

  var cookieLine: String { "Cookie: " + jar.map { "\($0.name)=\($0.value)" }.joined(separator: "; ") }

  var cookieNames: [String] { jar.map(\.name) }

  /// The person signs in at the provider, which sends the browser back: the target at the gateway.
  func signIn(_ place: String, as subject: String = "ada") async throws -> String {
    let body = "sub=\(subject)"
    let response = try await RawClient.connect(port: provider.port).exchange(
      Self.text(
        "POST", String(place.dropFirst(provider.url.count)), host: "127.0.0.1", ["Content-Length: \(body.utf8.count)"]
      )
        + body)
    let back = try #require(response["Location"])
    #expect(back.hasPrefix("http://shop.example.com/login/callback?"))
    return String(back.dropFirst("http://shop.example.com".count))
  }

  /// A person signs in from beginning to end.
  func signInWhole(as subject: String = "ada") async throws {
    let start = try await open("/login")
    guard let place = start["Location"] else { throw LoginSceneError(answer: start.text) }
    let back = try await open(try await signIn(place, as: subject))
    if back.status != 303 || !cookieNames.contains("__Host-session") { throw LoginSceneError(answer: back.text) }
  }

  /// Another browser at the same gateway.
  func sibling() -> LoginScene { LoginScene(of: self) }

  /// Opens pages with the cookies that this browser has now, on whichever thread.
  func reader() -> SceneReader { SceneReader(gateway: gateway, cookieLine: cookieLine) }

  private init(of other: LoginScene) {
    provider = other.provider
    gateway = other.gateway
    configuration = other.configuration
  }

  /// The same browser at another gateway with the same file.
  init(neighbourOf other: LoginScene) async throws {
    provider = other.provider
    configuration = other.configuration
    jar = other.jar
    gateway = try await GatewayProcess.start(configuration)
    try await gateway.waitUntilReady()
  }

  /// Until this browser's session is over. What ends is told to the workers, which is soon, and not before the next
  /// byte.
  func waitForEnd() async throws {
    try await gateway.waitUntil("the session is over") { try await open("/page", []).code == "session_expired" }
  }

  /// Asks the provider, past the gateway.
  func askProvider(_ method: String, _ target: String) async throws -> String {
    let text = Self.text(method, target, host: "127.0.0.1", method == "POST" ? ["Content-Length: 0"] : [])
    return try await RawClient.connect(port: provider.port).exchange(text).text
  }

  /// What the gateway answers the provider that ends sessions.
  func endEverywhere(_ query: String) async throws -> String {
    let place = "http://127.0.0.1:\(gateway.port)/login/back-channel"
    return try await askProvider(
      "POST", "/logout-everywhere?\(query)&to=\(place.replacing(":", with: "%3A").replacing("/", with: "%2F"))")
  }

  func stop() async { await provider.stop() }
}

/// One of many requests at once.
struct SceneReader: Sendable {
  let gateway: GatewayProcess
  let cookieLine: String

  func open(_ target: String) async throws -> RawResponse {
    let lines = ["GET \(target) HTTP/1.1", "Host: shop.example.com", "Connection: close", cookieLine]
    return try await gateway.exchange(lines.map { $0 + "\r\n" }.joined() + "\r\n")
  }

  /// Of several requests, each over a connection of its own, so that all workers see some. Empty for those that pass.
  func codes() async throws -> Set<String> {
    var codes: Set<String> = []
    for _ in 0..<16 { codes.insert(try await open("/page").code ?? "") }
    return codes
  }
}

struct LoginSceneError: Error { let answer: String }
