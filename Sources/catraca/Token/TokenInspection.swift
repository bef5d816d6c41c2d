// A decoded token. Its author wrote what is shown: unless a key set says otherwise, nothing of it is known to be true,
// and the text says so.

import Bytes
import Cryptography
import JSON
import Tokens

/// The parts of a compact token (RFC 7515 §7.1), decoded.
struct TokenInspection {
  private let token: [UInt8]
  private let header: JSONDocument
  private let payload: JSONDocument
  private let signature: [UInt8]
  private let signedCount: Int

  /// What was found out about the signature.
  enum Verdict: Equatable {
    case notChecked
    case valid(String)
    case bad(String)
  }

  /// - Parameter text: The token, with or without `Bearer` in front and white space around.
  init(_ text: String) throws {
    let bare = text.split(whereSeparator: \.isWhitespace)
    let words = bare.first?.lowercased() == "bearer" ? bare.dropFirst() : bare[...]
    guard words.count == 1, let word = words.first else {
      throw TokenError(words.isEmpty ? "there is no token" : "expected one token, found \(words.count) words")
    }
    token = Array(word.utf8)
    let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    if parts.count == 5 {
      throw TokenError("this is an encrypted token (JWE, five parts): only its receiver can open it")
    }
    guard parts.count == 3 else {
      throw TokenError("a token has three parts separated by dots, and this one has \(parts.count)")
    }
    header = try Self.object(Array(parts[0]), "header")
    payload = try Self.object(Array(parts[1]), "payload")
    signature = try Self.decoded(Array(parts[2]), "signature")
    signedCount = parts[0].count + 1 + parts[1].count
  }

  private static let fate = "the gateway refuses this token as token_malformed"

  private static func decoded(_ part: [UInt8], _ name: String) throws -> [UInt8] {
    guard let bytes = Base64URL.decode(part.span) else {
      throw TokenError("the \(name) is not base64url without padding: \(fate)")
    }
    return bytes
  }

  private static func object(_ part: [UInt8], _ name: String) throws -> JSONDocument {
    let bytes = try decoded(part, name)
    do throws(JSONError) {
      let document = try JSONDocument(bytes)
      if document.kind(document.root) == .object { return document }
    } catch {
      throw TokenError("the \(name) is not JSON, or not strictly (\(words(error))): \(fate)")
    }
    throw TokenError("the \(name) is JSON but not an object: \(fate)")
  }

  private static func words(_ error: JSONError) -> String {
    switch error {
    case .syntax(let offset): "unexpected at byte \(offset)"
    case .notUnicode(let offset): "not Unicode at byte \(offset)"
    case .duplicateMember(let offset): "two members of one name at byte \(offset)"
    case .tooDeep: "too deep"
    case .tooManyNodes: "too many values"
    case .tooLarge: "too large"
    }
  }

  private func text(_ name: String) -> String? {
    header.member(name, of: header.root).flatMap { header.string(at: $0) }
  }

  /// Checks the signature, and nothing else, with the keys of a set.
  func verdict(keys: KeySet) -> Verdict {
    guard let name = text("alg"), let algorithm = SignatureAlgorithm(rawValue: name) else {
      return .bad("the gateway does not support the header's alg")
    }
    let keyID = text("kid").map { Array($0.utf8) }
    let named = keyID.map { keys.key(id: $0.span, for: algorithm) }
    let possible = named.map { $0.map { [$0] } ?? [] } ?? keys.keys(for: algorithm)
    if possible.isEmpty {
      return .bad(
        keyID == nil
          ? "the token has no kid, and the key set not one to four keys for \(name)"
          : "the key set does not hold a key for \(name) with the token's kid")
    }
    let isGood = possible.contains { key in
      SignatureVerifier(key: key.publicKey, scheme: algorithm.scheme)?
        .isValid(signature.span, over: token.span.extracting(0..<signedCount)) ?? false
    }
    if !isGood { return .bad("it was not made with that key, or the token was changed") }
    return .valid(name)
  }

  /// The whole report.
  func report(_ verdict: Verdict, now: Int64) -> String {
    let state: String
    let line: String
    switch verdict {
    case .notChecked:
      state = "not verified"
      line = "\(signature.count) bytes, not verified: anyone can write what is above (--keys FILE checks it)"
    case .valid(let algorithm):
      state = "signature verified"
      line = "valid (\(algorithm)), but issuer, audience and times are not checked"
    case .bad(let reason):
      state = "not verified"
      line = "NOT VALID: \(reason)"
    }
    return """
      header (\(state))
      \(JSONText.lines(header, now: now, indent: "  "))
      payload (\(state))
      \(JSONText.lines(payload, now: now, indent: "  "))
      signature
        \(line)
      """
  }
}
