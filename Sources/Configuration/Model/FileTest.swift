// `tests:`: requests, and what is expected to become of each. `catraca check` goes through them, and so does each start
// and each reload.

/// One test of the file.
package struct FileTest: Sendable, Equatable {
  package var request = TestRequest()
  /// Fields of the request, beside Host.
  package var headers: [TestField] = []
  /// The client's address.
  package var client = "192.0.2.1"
  package var token: TestToken?
  package var apiKey: TestAPIKey?
  package var session: TestSession?
  package var certificate: TestCertificate?
  /// Empty where there is none.
  package var body = ""
  package var expected = TestExpectation()
}

/// `GET https://api.example.com/orders/1`.
package struct TestRequest: Sendable, Equatable {
  package var method = "GET"
  package var isSecure = false
  /// Host, and port where there is one.
  package var authority = ""
  /// Path and query.
  package var target = "/"

  package init() {}
}

/// A header field of a test.
package struct TestField: Sendable, Equatable {
  package var name: String
  package var value: String

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// Claims, in place of a token that would end some day. A key that lives as long as the test signs them.
package struct TestToken: Sendable, Equatable {
  package struct Claim: Sendable, Equatable {
    package var name: String
    /// Nil leaves out a claim that tokens of the issuer have.
    package var json: String?

    package init(name: String, json: String?) {
      self.name = name
      self.json = json
    }
  }

  /// Index into ``GatewayConfiguration/issuers``.
  package var issuer = 0
  package var claims: [Claim] = []

  package init() {}
}

/// What a test expects. Nil and empty expect nothing in particular.
package struct TestExpectation: Sendable, Equatable {
  package var status: Int?
  package var code: String?
  package var route: String?
  package var upstream: String?
  /// Path and query as the upstream gets them.
  package var path: String?
  package var upstreamHeaders: [TestField] = []
  /// Names of fields that the upstream gets, whatever they say.
  package var withHeaders: [String] = []
  /// Names of fields that the upstream does not get.
  package var withoutHeaders: [String] = []
  package var location: String?
  /// Fields of the response.
  package var headers: [TestField] = []
  /// Where each key is in the file, in the order of the records.
  package var positions: [KeyPosition] = []

  package struct KeyPosition: Sendable, Equatable {
    package var key: String
    package var position: SourcePosition
  }

  package func position(of key: String) -> SourcePosition { positions.first { $0.key == key }?.position ?? .start }
}

extension FileTest {
  static let settings = Settings<FileTest>(
    "tests[]", title: "a test",
    example: "{ request: GET https://api.example.com/orders/1, expect: { status: 401 } }", blank: FileTest(),
    finish: { test, section in section.reading.check(test, section) },
    [
      Setting(
        "request", \.request, .testRequest, "The method and the URL. Nothing is sent.",
        required: "write request: GET https://api.example.com/orders/1"),
      Setting("headers", \.headers, .testFields, "Header fields of the request, beside `Host`.", otherwise: "none"),
      Setting(
        "body", \.body, .testBody, "The request's body, as `application/json` where no header says otherwise.",
        otherwise: "none"),
      Setting("from", \.client, .clientAddress, "The client's address."),
      Setting(
        "token", \.token, .mapping(TestToken.settings),
        "What the token says. No key is required: the gateway trusts a key of its own for as long as the test runs.",
        otherwise: "none"),
      Setting(
        "api_key", \.apiKey, .mapping(TestAPIKey.settings),
        "Whose API key the request has. The key itself is not required.", otherwise: "none"),
      Setting(
        "session", \.session, .mapping(TestSession.settings),
        "What the session of the request's cookie says. No store is asked.", otherwise: "none"),
      Setting(
        "certificate", \.certificate, .mapping(TestCertificate.settings),
        "What the client's certificate says, of a request over `https`.", otherwise: "none"),
      Setting(
        "expect", \.expected, .mapping(TestExpectation.settings), "What becomes of the request.",
        required: "write expect: { status: 200 }"),
    ])
}

extension TestToken {
  static let settings = Settings<TestToken>(
    "tests[].token", title: "'token'", example: "token: { issuer: login, claims: { scope: orders:read } }",
    blank: TestToken(),
    [
      Setting(
        "issuer", \.issuer, .testIssuer, "Who has signed it, one of `issuers`.", required: "write issuer: NAME"),
      Setting(
        "claims", \.claims, .testClaims,
        "Its claims, beside `iss`, `aud`, `iat` and `exp`, which are as the issuer's rules require. One that is written "
          + "here replaces such a claim, and one without a value takes it away.", otherwise: "none"),
    ])
}

extension TestExpectation {
  static let settings = Settings<TestExpectation>(
    "tests[].expect", title: "'expect'", example: "expect: { status: 200 }", blank: TestExpectation(),
    finish: { expected, section in
      for key in section.table.keys {
        if let node = section[key.name] {
          expected.positions.append(KeyPosition(key: key.name, position: node.position))
        }
      }
      if section.isEmpty {
        section.reading.error(section.position, "'expect' expects nothing: write status: 200")
      }
    },
    [
      Setting(
        "status", \.status, .integer(100...599), "The response's status. An upstream answers 200 here.",
        otherwise: "any"),
      Setting(
        "code", \.code, .line(), "Why the gateway refuses the request, as in [Refusals](REFUSALS.md).",
        otherwise: "any"),
      Setting(
        "route", \.route, .line(), "The name of the route, which is its path where it has none.", otherwise: "any"),
      Setting("upstream", \.upstream, .line(), "The name of the upstream that gets the request.", otherwise: "any"),
      Setting("path", \.path, .localPath, "Path and query as the upstream gets them.", otherwise: "any"),
      Setting(
        "upstream_headers", \.upstreamHeaders, .testFields, "Header fields that the upstream gets.", otherwise: "any"),
      Setting(
        "with_headers", \.withHeaders, .names("list of names", item: "a name"),
        "Header fields that the upstream gets, whatever they say.", otherwise: "none"),
      Setting(
        "without_headers", \.withoutHeaders, .names("list of names", item: "a name"),
        "Header fields that the upstream does not get.", otherwise: "none"),
      Setting("location", \.location, .line(), "Where the response sends the client.", otherwise: "any"),
      Setting("headers", \.headers, .testFields, "Header fields of the response.", otherwise: "any"),
    ])
}
