// What a browser at a path of a login asks, and what it is told. Who answers is known outside of the data plane.

/// One visit of a browser.
package struct LoginRequest: Sendable {
  package enum Step: Sendable {
    /// It is to be sent to the provider.
    case start
    /// The provider has sent it back.
    case callback
    /// Its session ends, at the provider as well.
    case logout
  }

  package let step: Step
  /// The name of the session's rules.
  package let session: String
  /// Scheme and authority that the browser came to, such as `https://shop.example.com`.
  package let origin: String
  /// Without the question mark, as it was sent.
  package let query: [UInt8]
  /// All fields Cookie, with a semicolon between them.
  package let cookies: [UInt8]

  package init(step: Step, session: String, origin: String, query: [UInt8], cookies: [UInt8]) {
    self.step = step
    self.session = session
    self.origin = origin
    self.query = query
    self.cookies = cookies
  }
}

/// Cookies are values of Set-Cookie.
package enum LoginReply: Sendable {
  /// The browser goes there.
  case redirect(to: String, cookies: [String])
  /// A session begins for these claims, and the browser goes to a path of this host.
  case signedIn(claims: [UInt8], issuer: String, returnTo: String, cookies: [String])
  /// The word is the code of a refusal.
  case failed(code: String, cookies: [String])
}
