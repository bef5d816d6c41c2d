// Only the token that was verified goes on, from the one place where it was verified: T80, T90, T93.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct UnverifiedTokenTests {
  private static let sources =
    "tokens_from: [authorization, \"cookie:session_id\", \"query:access_token\", \"header:X-Token\"]"

  private func start(
    _ key: TestKey, isOptional: Bool = false, isForwarding: Bool = true, more: String = ""
  ) async throws -> TokenDoor {
    try await TokenDoor.start(
      jwks: [key.jwk()], auth: "{ issuers: [login], \(Self.sources), optional: \(isOptional) }",
      route: ["identity: { headers: { X-User: sub }, forward_token: \(isForwarding) }"], more: more)
  }

  private typealias Place = (
    name: String, target: @Sendable (String) -> String, fields: @Sendable (String) -> [String]
  )

  /// Where a token can be put: the request's target and fields for each.
  private static let places: [Place] = [
    ("Authorization", { _ in "/door" }, { ["Authorization: Bearer \($0)"] }),
    ("cookie", { _ in "/door" }, { ["Cookie: session_id=\($0)"] }),
    ("query", { "/door?access_token=\($0)" }, { _ in [] }), ("header", { _ in "/door" }, { ["X-Token: \($0)"] }),
  ]

  @Test("T80: What follows the word Bearer is a token or is refused, on optional routes too")
  func bearerWord() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isOptional: true)
    let token = TokenDoor.token(key)
    let values = [
      "Bearer\t\(token)", "Bearer=\(token)", "Bearer,\(token)", "bearer\t\(token)", "BEARER:\(token)",
      "Bearer\"\(token)\"", "Bearer/\(token)", "Bearer.\(token)", "Bearer-\(token)", "Bearer_\(token)",
      "Bearer \t\(token)", "Bearer \(token),", "Bearer \(token) \(token)", "Bearer a b", "Bearer \u{B}\(token)",
    ]
    for value in values {
      let response = try await door.gateway.get("/door", ["Authorization: \(value)"])
      // A control in a value is nobody's token: the head is refused.
      let expected = value.contains("\u{B}") ? "field_value_invalid" : "token_malformed"
      #expect(response.code == expected, "\(value.prefix(12).debugDescription)")
    }
    #expect(door.upstream.requests.isEmpty)
    for value in ["Bearer", "bEaReR", "Bearer  "] {
      #expect(try await door.gateway.get("/door", ["Authorization: \(value)"]).status == 200)
      let request = try #require(door.upstream.requests.last)
      #expect(request.values(of: "Authorization").isEmpty && request["X-User"] == nil, "\(value)")
    }
    // Spaces in any number are between scheme and token (RFC 9110 §11.4).
    for value in ["Bearer \(token)", "bearer   \(token)"] {
      #expect(try await door.gateway.get("/door", ["Authorization: \(value)"]).status == 200)
      #expect(door.upstream.requests.last?["Authorization"] == value)
    }
  }

  @Test("T80: What no rule verified stays behind where forward_token lets a token through")
  func otherSchemes() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isOptional: true)
    let values = [
      "\"Bearer\" a.b.c", "JWT a.b.c", "Bearerish a.b.c", "a.b.c", ", Bearer a.b.c", "Basic a.b.c", "Basic\tYTpi",
      "Basic YTpi, Bearer a.b.c", "Basic YTpi Bearer", "Basic YT==pi", "Basic", "Basic YTpi\u{E9}", "Basic=YTpi",
      "BasicYTpi",
    ]
    for value in values {
      let response = try await door.gateway.get("/door", ["Authorization: \(value)", "X-Kept: 1"])
      #expect(response.status == 200, "\(value)")
      let request = try #require(door.upstream.requests.last)
      #expect(request["X-Kept"] == "1" && request["X-User"] == nil)
      #expect(request.values(of: "Authorization").isEmpty, "\(value)")
    }
  }

  @Test("T80: Basic credentials that are the service's own go on, since no token fits into them")
  func basicOfService() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isOptional: true, isForwarding: false)
    for value in ["Basic YTpi", "basic   YTpiYw==", "BASIC a+/=", "Basic YTp4"] {
      #expect(try await door.gateway.get("/door", ["Authorization: \(value)"]).status == 200)
      let request = try #require(door.upstream.requests.last)
      #expect(request["Authorization"] == value && request["X-User"] == nil)
    }
    let token = TokenDoor.token(key)
    let both = try await door.gateway.get("/door", ["Authorization: Basic YTpi", "X-Token: \(token)"])
    #expect(both.status == 200)
    let request = try #require(door.upstream.requests.last)
    #expect(request["Authorization"] == "Basic YTpi" && request["X-User"] == "alice" && request["X-Token"] == nil)
  }

  @Test("T80: A token in two places is refused, whichever of them is good, and goes nowhere", arguments: [true, false])
  func twoPlaces(_ isForwarding: Bool) async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isForwarding: isForwarding)
    let good = TokenDoor.token(key)
    let forged = TokenDoor.token(try TestKey(.es256), ["sub": "mallory"])
    for place in Self.places {
      let alone = try await door.gateway.get(place.target(good), place.fields(good))
      #expect(alone.status == 200, "\(place.name)")
      let sent = latin1(try #require(door.upstream.requests.last).head.bytes)
      #expect(sent.contains(good) == isForwarding && sent.contains("X-User: alice"), "\(place.name)")
      for other in Self.places where other.name != place.name {
        for second in [forged, good, "x"] {
          let isQuery = other.name == "query"
          let target = isQuery ? other.target(second) : place.target(good)
          let response = try await door.gateway.get(target, place.fields(good) + other.fields(second))
          #expect(response.code == "token_ambiguous", "\(place.name) and \(other.name)")
        }
        // Where there is nothing, there is no second token.
        let empty = other.name == "query" ? place.target(good) : other.target(good)
        if other.name == "Authorization" || other.name == "query" || place.name == "query" { continue }
        let cleared = try await door.gateway.get(empty, place.fields(good) + other.fields(""))
        #expect(cleared.status == 200, "\(place.name) and an empty \(other.name)")
      }
    }
    #expect(door.upstream.requests.allSatisfy { !latin1($0.head.bytes).contains(forged.suffix(40)) })
  }

  /// Cookies and queries in which some service finds the token's place, though it is not written there.
  private static let cookies = [
    "session%5Fid=FORGED", "sess%69on_id=FORGED", "a=b,session_id=FORGED", "a=b, session_id=FORGED; c=d",
    "a=b session_id=FORGED", "a=b,session_id =FORGED", "SESSION_ID=FORGED", "session.id=FORGED", "session id=FORGED",
    "session[id=FORGED", "session_id[]=FORGED", "session_id[a]=FORGED", "%20session_id=FORGED", "+session_id=FORGED",
    "session_id%00x=FORGED", "session%u005fid=FORGED", "$Version=1, session_id=FORGED",
    "session-id=FORGED",
  ]
  private static let queries = [
    "access.token=FORGED", "access%2Etoken=FORGED", "access+token=FORGED", "access%20token=FORGED",
    "access[token=FORGED", "access_token[]=FORGED", "access_token%5B%5D=FORGED", "access_token[x][y]=FORGED",
    "+access_token=FORGED", "%20access.token=FORGED", "Access_Token=FORGED", "%41ccess_token=FORGED",
    "access_token%00=FORGED", "access%u005ftoken=FORGED", "a=1;access.token=FORGED;b=2", "access-token=FORGED",
  ]

  @Test(
    "T93: What a lenient service reads as the token's place is removed, whether or not a token goes on",
    arguments: [true, false])
  func otherNames(_ isForwarding: Bool) async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isOptional: true, isForwarding: isForwarding)
    let good = TokenDoor.token(key)
    for credentials in [[], ["Authorization: Bearer \(good)"]] {
      let cases =
        Self.cookies.map { ("/door?k=1", ["Cookie: \($0)"]) } + Self.queries.map { ("/door?k=1&\($0)", []) }
      for (path, fields) in cases {
        let response = try await door.gateway.get(path, fields + credentials + ["Cookie: kept=1"])
        #expect(response.status == 200, "\(path) \(fields)")
        let request = try #require(door.upstream.requests.last)
        #expect(!latin1(request.head.bytes).contains("FORGED"), "\(path) \(fields)")
        #expect(request.target.hasPrefix("/door?k=1") && request.values(of: "Cookie").contains("kept=1"))
      }
    }
    // A parameter of that very name is the token's place, however it is encoded and whatever separates it.
    for (query, fields) in [
      ("access%5Ftoken=FORGED", []), ("a=1;access_token=FORGED", []), ("", ["Cookie: a=\"b; session_id=FORGED\""]),
    ] {
      #expect(try await door.gateway.get("/door?\(query)", fields).code == "token_malformed", "\(query)")
      let response = try await door.gateway.get("/door?\(query)", fields + ["Authorization: Bearer \(good)"])
      #expect(response.code == "token_ambiguous", "\(query)")
    }
  }

  @Test("T93: Neighbours of the token's place go on as they are")
  func neighbours() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, isOptional: true)
    let cookie = "session_ids=1; _session_id=2; my_session_id=3; a=session_id; b=x=session_id=1; c=\"d\"; session=4"
    let query = "access=1&access_tokens=2&token=3&xaccess_token=4&a=access_token&b=x=access_token=1&u[access_token]=5"
    _ = try await door.gateway.get("/door?\(query)", ["Cookie: \(cookie)"])
    let request = try #require(door.upstream.requests.last)
    #expect(request["Cookie"] == cookie)
    #expect(request.target == "/door?\(query)")
  }

  @Test("T90: A page's token is cut out of Referer, on every route, and the rest of Referer stays")
  func referer() async throws {
    let key = try TestKey(.es256)
    let door = try await start(key, more: "  - { path: /public, auth: public, upstream: echo }\n")
    let token = TokenDoor.token(key)
    let cases = [
      ("https://test/p?access_token=\(token)", "https://test/p"),
      ("https://test/p?a=1&access_token=\(token)&b=2", "https://test/p?a=1&b=2"),
      ("/p?access%5Ftoken=\(token)&a", "/p?a"), ("/p?a;access.token=\(token);b", "/p?a;b"),
      ("https://test/p?a=1;b=2&&c", "https://test/p?a=1;b=2&&c"), ("https://test/p", "https://test/p"), ("?", ""),
      ("", ""),
    ]
    for (value, expected) in cases {
      for (path, fields) in [("/public", []), ("/door", ["X-Token: \(token)"])] {
        let response = try await door.gateway.get(path, fields + ["referer: \(value)"])
        #expect(response.status == 200)
        #expect(door.upstream.requests.last?.values(of: "Referer") == [expected], "\(path) \(value)")
      }
    }
  }
}
