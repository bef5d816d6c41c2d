// The cookies of logins that are under way: one for each, sealed, for ten minutes, and only for the path of the
// callback. Several tabs may log in at once, and those that never come back do not pile up (T106).

internal import Bytes
internal import Cryptography
internal import Tokens

struct LoginCookies: Sendable {
  /// Names begin so, and end in the first letters of the state.
  static let namePrefix = "__Secure-login-"
  /// LIMIT: logins of one browser at a time. The oldest gives way.
  static let countMax = 3

  private let keys: SealingKeys
  private let session: String
  private let path: String

  /// - Parameters:
  ///   - session: cookies of another session do not open.
  ///   - path: of the callback.
  init(keys: SealingKeys, session: String, path: String) {
    self.keys = keys
    self.session = session
    self.path = path
  }

  static func name(ofState state: String) -> String { namePrefix + state.prefix(8) }

  /// The attempt that an answer's state belongs to, out of the browser's cookies.
  func attempt(withState state: String, in cookies: [(name: String, value: String)]) -> LoginAttempt? {
    let name = Self.name(ofState: state)
    return cookies.lazy.filter { $0.name == name }.compactMap { open($0.value) }.first { $0.state == state }
  }

  /// Cookies to set for a new attempt: its own, and the end of those that are too many, or of no use any more.
  /// - Returns: values of Set-Cookie. Nil when nothing can be sealed.
  func begin(_ attempt: LoginAttempt, among cookies: [(name: String, value: String)], now: Int64) -> [String]? {
    guard let box = keys.seal(attempt.encoded.span, context: context.span) else { return nil }
    let value = String(decoding: Base64URL.encode(box.span), as: UTF8.self)
    var lines = [
      "\(Self.name(ofState: attempt.state))=\(value); Max-Age=\(LoginAttempt.lifetimeSeconds)\(attributes)"
    ]
    let known = Dictionary(
      cookies.filter { $0.name.hasPrefix(Self.namePrefix) }.map { ($0.name, open($0.value)) },
      uniquingKeysWith: { first, _ in first })
    let alive = known.compactMapValues { $0 }.filter { $0.value.isAlive(at: now) }
      .sorted { ($0.value.beganAt, $0.key) > ($1.value.beganAt, $1.key) }
    let kept = Set(alive.prefix(Self.countMax - 1).map(\.key))
    lines += known.keys.filter { !kept.contains($0) }.sorted().map { end($0) }
    return lines
  }

  /// The value of Set-Cookie that ends the login of a state.
  func end(ofState state: String) -> String { end(Self.name(ofState: state)) }

  private func end(_ name: String) -> String { "\(name)=; Max-Age=0\(attributes)" }

  private var attributes: String { "; Path=\(path); Secure; HttpOnly; SameSite=Lax" }

  private var context: [UInt8] { Array("login of \(session)".utf8) }

  private func open(_ value: String) -> LoginAttempt? {
    let text = Array(value.utf8)
    guard let box = Base64URL.decode(text.span) else { return nil }
    return keys.open(box.span, context: context.span).flatMap { LoginAttempt(encoded: $0) }
  }
}
