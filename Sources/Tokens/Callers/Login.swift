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
    /// The provider itself ends sessions: no browser, and a form in place of the query.
    case backChannel
  }

  package let step: Step
  /// The name of the session's rules.
  package let session: String
  /// Scheme and authority that the browser came to, such as `https://shop.example.com`.
  package let origin: String
  /// Without the question mark, as it was sent. At the back channel, the body.
  package let query: [UInt8]
  /// All fields Cookie, with a semicolon between them.
  package let cookies: [UInt8]
  /// Of the cookie of the session that ends. Nil without one.
  package let digest: [UInt8]?

  package init(
    step: Step, session: String, origin: String, query: [UInt8], cookies: [UInt8], digest: [UInt8]? = nil
  ) {
    self.digest = digest
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
  /// A session begins, and the browser goes to a path of this host.
  case signedIn(NewSession, returnTo: String, cookies: [String])
  /// Nothing more is to be said.
  case accepted
  /// The word is the code of a refusal.
  case failed(code: String, cookies: [String])
}

/// Who has signed in.
package struct NewSession: Sendable {
  /// Those of the ID token, as JSON.
  package let claims: [UInt8]
  /// Its name in the file.
  package let issuer: String
  /// See ``SessionRecord/tokens``.
  package let tokens: [UInt8]
  /// The session ends no later, whatever its rules say. Nil where they alone count.
  package let lifetimeSeconds: Int64?

  package init(claims: [UInt8], issuer: String, tokens: [UInt8], lifetimeSeconds: Int64?) {
    self.claims = claims
    self.issuer = issuer
    self.tokens = tokens
    self.lifetimeSeconds = lifetimeSeconds
  }
}
