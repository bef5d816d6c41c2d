// Tokens whose form is wrong: T11 to T14.

import TestSupport
import Testing
import Tokens

@Suite(.timeLimit(.minutes(10))) struct TokenFormTests {
  private func payload(_ more: String = "") -> String {
    "{\"iss\":\"\(TokenDoor.issuer)\",\"aud\":\"api\",\"sub\":\"alice\",\"exp\":\(unixNow() + 300)\(more)}"
  }

  @Test(
    "T11 A token whose header names crit, or changes what is signed with b64, is refused though its signature holds")
  func critical() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let criticals: [JSONValue] = [
      ["exp"], ["http://example.com/unknown"], [], "exp", nil, ["b64"], ["alg"], ["kid", "kid"], 7,
    ]
    #expect(
      try await door.verdicts(
        criticals.map { TokenDoor.token(key, header: ["crit": $0, "http://example.com/unknown": true]) })
        == criticals.map { _ in "critical_header_unknown" })
    #expect(
      try await door.verdicts([
        TokenDoor.token(key, header: ["b64": false]), TokenDoor.token(key, header: ["b64": true]),
        TokenDoor.token(key, header: ["b64": false, "crit": ["b64"]]), TokenDoor.token(key),
      ]) == ["token_malformed", "token_malformed", "critical_header_unknown", "passed"])
  }

  @Test("T12 Duplicate members, a byte order mark, trailing bytes, broken UTF-8 and deep nesting are refused")
  func json() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let header = "{\"alg\":\"ES256\",\"kid\":\"key-1\"}"
    let bomb = String(repeating: "[", count: 4000) + String(repeating: "]", count: 4000)
    let headers = [
      "{\"alg\":\"ES256\",\"kid\":\"key-1\",\"alg\":\"ES256\"}", "{\"alg\":\"none\",\"alg\":\"ES256\"}",
      "{\"alg\":\"ES256\",\"kid\":\"key-1\",\"k\\u0069d\":\"key-1\"}", "\u{FEFF}" + header, header + " x",
      header + header, header + "\u{0}", "[\(header)]", "\"ES256\"", "", " ", "null", "{\"alg\":\"ES256\",}",
      "{'alg':'ES256'}", "{\"alg\":\"ES256\" /* */}", "{\"alg\":\"ES256\",\"x\":\(bomb)}",
    ]
    #expect(
      try await door.verdicts(headers.map { key.sign(header: $0, payload: payload()) })
        == headers.map { _ in "token_malformed" })
    let payloads = [
      payload(",\"sub\":\"bob\""), payload(",\"exp\":9999999999"), payload(",\"a\":{\"b\":1,\"b\":2}"),
      payload(",\"s\\u0075b\":\"bob\""), "\u{FEFF}" + payload(), payload() + "{}", payload() + "\u{0}", "[]", "",
      payload(",\"x\":\(bomb)"), payload(",\"x\":\"\\ud800\""), payload(",\"x\":01"), payload(",\"x\":\"\u{1}\""),
      payload(",\"x\":NaN"), payload(",\"x\":"), payload().dropLast() + "",
    ]
    #expect(
      try await door.verdicts(payloads.map { key.sign(header: header, payload: $0) })
        == payloads.map { _ in "token_malformed" })
    let broken: [[UInt8]] = [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]]
    let tokens = broken.flatMap { bytes in
      [
        key.sign(
          header: Array(header.utf8), payload: Array(payload(",\"x\":\"").dropLast().utf8) + bytes + Array("\"}".utf8)),
        key.sign(
          header: Array(header.dropLast().utf8) + Array(",\"x\":\"".utf8) + bytes + Array("\"}".utf8),
          payload: Array(payload().utf8)),
      ]
    }
    #expect(try await door.verdicts(tokens) == tokens.map { _ in "token_malformed" })
    // White space between the tokens of JSON is allowed.
    #expect(try await door.verdict(key.sign(header: " \n" + header + "\t", payload: payload() + "\r\n")) == "passed")
  }

  @Test("T13 A token can be written in one way only: no padding, no other alphabet, no spare bits")
  func base64() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    // Payloads are padded until each part has spare bits to set.
    var good = ""
    for padding in ["", "a", "aa"] {
      good = TokenDoor.token(key, ["pad": .string(padding)])
      if good.split(separator: ".")[1].count % 4 != 0 { break }
    }
    let parts = good.split(separator: ".").map(String.init)
    #expect(try await door.verdict(good) == "passed")
    var tokens: [String] = []
    for index in parts.indices {
      func changed(_ part: String) -> String {
        var copy = parts
        copy[index] = part
        return copy.joined(separator: ".")
      }
      let part = parts[index]
      let middle = part.index(part.startIndex, offsetBy: part.count / 2)
      tokens += [changed(part + "="), changed(part + "=="), changed("=" + part)]
      tokens += ["+", "/", " ", "\t", "%3D", "*", "\u{E9}", "="].map {
        changed(part[..<middle] + $0 + part[middle...])
      }
      if part.count % 4 != 0, let last = part.last { tokens.append(changed(part.dropLast() + next(after: last))) }
      if part.contains("-") { tokens.append(changed(part.replacing("-", with: "+"))) }
      if part.contains("_") { tokens.append(changed(part.replacing("_", with: "/"))) }
    }
    tokens += ["." + good, good + " x", "Bearer " + good, good + "," + good, "\"\(good)\""]
    let verdicts = try await door.verdicts(tokens)
    for (token, verdict) in zip(tokens, verdicts) { #expect(verdict == "token_malformed", "\(token)") }
    #expect(try await door.verdict(good) == "passed")
  }

  /// The digit with the lowest spare bit set.
  private func next(after digit: Character) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    return alphabet.firstIndex(of: digit).map { String(alphabet[$0 ^ 1]) } ?? ""
  }

  @Test("T14 A token of two, four or five parts, or with an empty part, is refused")
  func parts() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let good = TokenDoor.token(key)
    let parts = good.split(separator: ".").map(String.init)
    let jwe = base64URL("{\"alg\":\"dir\",\"enc\":\"A128GCM\"}") + "..AAAA.AAAA.AAAA"
    let tokens = [
      parts[0], "\(parts[0]).\(parts[1])", "\(parts[0]).\(parts[1]).", ".\(parts[1]).\(parts[2])",
      "\(parts[0])..\(parts[2])", good + ".", good + ".AAAA", good + ".AAAA.AAAA", "." + good, "..", ".", "a", "....",
      jwe, String(repeating: ".", count: 5000),
    ]
    let verdicts = try await door.verdicts(tokens)
    for (token, verdict) in zip(tokens, verdicts) { #expect(verdict == "token_malformed", "\(token)") }
    #expect(try await door.verdict(good) == "passed")
  }

  @Test("T14 A token over 16 KiB is not looked at, and a head over its limit never gets so far")
  func size() async throws {
    let key = try TestKey(.es256)
    let door = try await TokenDoor.start(jwks: [key.jwk()])
    let fits = TokenDoor.token(key, ["pad": .string(String(repeating: "a", count: 11_000))])
    let large = TokenDoor.token(key, ["pad": .string(String(repeating: "a", count: 12_300))])
    #expect(fits.utf8.count < 16 * 1024 && large.utf8.count > 16 * 1024)
    #expect(try await door.verdicts([fits, large]) == ["passed", "token_too_large"])
    let response = try await door.gateway.get(
      "/door", ["Authorization: Bearer " + String(repeating: "a", count: 40_000)])
    #expect(response.status == 431)
    #expect(response.code == "head_too_large")
  }
}
