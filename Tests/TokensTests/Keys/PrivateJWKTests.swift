// Private keys as others write them, and what is wrong with those that are none.

import Bytes
import Cryptography
import JSON
import Testing

@testable import Tokens

@Suite struct PrivateJWKTests {
  private func load() throws -> [Vector] { try Vector.load("private.json").filter { !$0.name.hasPrefix("weak") } }

  private func problem(_ text: String) -> PrivateJWK.Problem? {
    do throws(PrivateJWK.Problem) {
      _ = try PrivateJWK(Array(text.utf8))
      return nil
    } catch {
      return error
    }
  }

  @Test("Private JWKs of RFCs and of another implementation sign what their public halves take")
  func foreignKeys() throws {
    for vector in try load() {
      let jwk = try PrivateJWK(Array(vector.key.utf8))
      #expect(jwk.keyID == (vector.name == "joserfc RSA 2048" ? "a key" : nil))
      #expect(jwk.algorithm == (vector.name == "joserfc RSA 3072" ? .ps256 : nil))
      // The other implementation has signed with it, too.
      let dot = try #require(vector.token.lastIndex(of: UInt8(ascii: ".")))
      let signature = try #require(Base64URL.decode(Array(vector.token[(dot + 1)...])))
      let verifier = try #require(SignatureVerifier(key: jwk.key.publicKey, scheme: vector.algorithm.scheme))
      #expect(verifier.isValid(signature, over: Array(vector.token[..<dot])), "\(vector.name)")
      #expect(jwk.key.isSound(vector.algorithm.scheme), "\(vector.name)")
    }
  }

  @Test("What is no private key, is weak, or has halves of two keys is refused, and nothing of it is in the reason")
  func faults() throws {
    let curves = try load()
    let elliptic = try #require(curves.first { $0.name == "joserfc P-256" }).key
    let other = try #require(curves.first { $0.name == "RFC 7515 A.3" }).key
    let rsa = try #require(curves.first { $0.name == "joserfc RSA 2048" }).key
    let weak = try #require(try Vector.load("private.json").first { $0.name.hasPrefix("weak") }).key
    func changed(_ key: String, _ name: String, _ value: String?) throws -> String {
      let document = try JSONDocument(Array(key.utf8))
      let members = document.members(of: document.root).compactMap { member -> String? in
        let text = document.string(at: member.name) ?? ""
        let raw = String(decoding: document.bytes[document.rawRange(of: member.value)], as: UTF8.self)
        return text == name ? value.map { "\"\(text)\":\($0)" } : "\"\(text)\":\(raw)"
      }
      let isNew = document.member(name, of: document.root) == nil
      return "{" + (members + (isNew ? ["\"\(name)\":\(value ?? "")"] : [])).joined(separator: ",") + "}"
    }
    let d = try #require(try JSONDocument(Array(other.utf8)).text("d"))
    #expect(problem("") == .notJSON)
    #expect(problem("{\"kty\":\"EC\"") == .notJSON)
    #expect(problem("[]") == .notJSON)
    #expect(problem("{\"keys\":[\(elliptic)]}") == .keySet)
    #expect(problem(try changed(elliptic, "d", nil)) == .publicOnly)
    #expect(problem("{\"kty\":\"oct\",\"k\":\"AAAA\",\"d\":\"AA\"}") == .typeUnknown)
    #expect(problem(try changed(elliptic, "crv", "\"secp256k1\"")) == .typeUnknown)
    #expect(problem(try changed(elliptic, "d", "\"AAAA\"")) == .malformed)
    #expect(problem(try changed(elliptic, "d", "7")) == .malformed)
    #expect(problem(try changed(elliptic, "x", nil)) == .malformed)
    #expect(problem(try changed(elliptic, "kid", "\"\"")) == .malformed)
    #expect(problem(try changed(elliptic, "use", "\"enc\"")) == .useOther)
    #expect(problem(try changed(elliptic, "alg", "\"RS256\"")) == .algorithmUnfit)
    #expect(problem(try changed(elliptic, "alg", "\"none\"")) == .algorithmUnfit)
    #expect(problem(try changed(elliptic, "d", "\"\(d)\"")) == .halvesDiffer)
    #expect(problem(weak) == .tooWeak)
    let longer = try #require(curves.first { $0.name == "joserfc RSA 3072" }).key
    let modulus = try #require(try JSONDocument(Array(longer.utf8)).text("n"))
    #expect(problem(try changed(rsa, "n", "\"\(modulus)\"")) == .halvesDiffer)
    #expect(problem(try changed(rsa, "qi", nil)) == .malformed)
  }

  @Test("No byte that is missing, or other, of a key ends in anything but a reason")
  func mutations() throws {
    for vector in try load() where vector.key.utf8.count < 400 {
      let bytes = Array(vector.key.utf8)
      for index in stride(from: 0, to: bytes.count, by: 3) {
        var changed = bytes
        changed[index] ^= 0x11
        _ = problem(String(decoding: changed, as: UTF8.self))
        changed.removeSubrange(index...)
        #expect(problem(String(decoding: changed, as: UTF8.self)) == .notJSON)
      }
    }
  }
}

extension JSONDocument {
  fileprivate func text(_ name: String) -> String? { member(name, of: root).flatMap { string(at: $0) } }
}
