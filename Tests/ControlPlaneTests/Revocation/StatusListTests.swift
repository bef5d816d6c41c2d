// Status lists: the vectors of the draft, and tokens of lists that are not to be believed.

import Configuration
import Cryptography
import Foundation
import JSON
import NIOPosix
import TestSupport
import Testing
import Tokens

@testable import ControlPlane

@Suite("Status lists")
struct StatusListTests {
  private static let issuerName = "https://login.example.com"
  private static let uri = "https://login.example.com/lists/1"
  private let key: TestKey
  private let keys: KeySet

  init() throws {
    key = try TestKey(.es256, id: "k")
    keys = try KeySet.parse(Array(keySetText([key.jwk()]).utf8).span, algorithms: [.es256])
  }

  private static func issuer(_ name: String = issuerName) -> Issuer {
    Issuer(name: "login", policy: IssuerPolicy(issuer: name, audiences: ["api"]), keys: .inline([]))
  }

  private static var vectors: JSONDocument {
    get throws {
      let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Vectors/draft.json")
      return try JSONDocument(
        Array(try Data(contentsOf: folder)), limits: JSONLimits(nodeCountMax: 100_000))
    }
  }

  /// - Parameter now: seconds since 1970.
  private func read(
    _ token: String, uri: String = uri, keys: KeySet? = nil, issuer: Issuer = issuer(), now: Int64 = 1_700_000_000
  ) async -> Result<LoadedStatusList, RevocationFailure> {
    let keys = keys ?? self.keys
    var environment = RevocationEnvironment.live(
      DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton), keys: ["login": keys])
    environment.wallTime = { now }
    return await StatusListLoader(environment: environment).read(Array(token.utf8), Array(uri.utf8), of: issuer)
  }

  private func token(
    _ list: String, _ changes: [String: String?] = [:], header: String = #""typ":"statuslist+jwt","kid":"k""#,
    by key: TestKey? = nil
  ) -> String {
    var claims = ["sub": "\"\(Self.uri)\"", "iat": "1699999000", "status_list": list]
    for (name, value) in changes { claims[name] = value }
    let payload = "{" + claims.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
    return (key ?? self.key).sign(header: "{\"alg\":\"ES256\",\(header)}", payload: payload)
  }

  private static let good = #"{"bits":1,"lst":"eNrbuRgAAhcBXQ"}"#

  @Test("Each list of the draft has the statuses that the draft gives, and nothing behind its end")
  func lists() async throws {
    let vectors = try Self.vectors
    let lists = try #require(vectors.member("lists", of: vectors.root))
    var count = 0
    for vector in vectors.elements(of: lists) {
      count += 1
      func member(_ name: String) -> JSONDocument.Index { vectors.member(name, of: vector) ?? vectors.root }
      let bits = try #require(vectors.integer(at: member("bits")))
      let text = try #require(vectors.string(at: member("lst")))
      let loaded = try await read(token("{\"bits\":\(bits),\"lst\":\"\(text)\"}")).get()
      let count64 = try #require(vectors.integer(at: member("count")))
      let size = Int(count64)
      #expect(loaded.list.count == size)
      var sum = 0
      for pair in vectors.elements(of: member("statuses")) {
        let numbers = vectors.elements(of: pair).compactMap { vectors.integer(at: $0) }
        #expect(loaded.list.status(at: Int(numbers[0])) == UInt8(numbers[1]))
        sum += Int(numbers[1])
      }
      #expect((0..<size).reduce(0) { $0 + Int(loaded.list.status(at: $1) ?? 0) } == sum)
      #expect(loaded.list.status(at: size) == nil && loaded.list.status(at: Int.max) == nil)
    }
    #expect(count == 6)
  }

  @Test("The draft's example of a list's token is verified by its key")
  func example() async throws {
    let vectors = try Self.vectors
    let example = try #require(vectors.member("token", of: vectors.root))
    func text(_ name: String) -> String { vectors.member(name, of: example).flatMap { vectors.string(at: $0) } ?? "" }
    let keyNode = try #require(vectors.member("key", of: example))
    let jwk = vectors.bytes[vectors.rawRange(of: keyNode)]
    let keys = try KeySet.parse(Array("{\"keys\":[".utf8 + jwk + "]}".utf8).span, algorithms: [.es256])
    let loaded = try await read(
      text("jwt"), uri: text("uri"), keys: keys, issuer: Self.issuer(text("issuer"))
    ).get()
    #expect(loaded.ttlSeconds == 43_200 && loaded.list.expiresAt == 2_291_720_170)
    #expect((0..<16).map { loaded.list.status(at: $0) } == [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1])
  }

  @Test("T103 A list of another key or issuer, about another URL, over, cut or none at all is refused, with its code")
  func refused() async throws {
    let other = try TestKey(.es256, id: "k")
    let stranger = try TestKey(.es256, id: "stranger")
    #expect(try await read(token(Self.good)).get().list.count == 16)
    #expect(try await read(token(Self.good, ["iss": "\"\(Self.issuerName)\"", "ttl": "60"])).get().ttlSeconds == 60)
    for (bad, code) in [
      (token(Self.good, by: other), "signature_invalid"),
      (token(Self.good, header: #""typ":"statuslist+jwt","kid":"stranger""#, by: stranger), "key_unknown"),
      (token(Self.good, header: #""typ":"at+jwt","kid":"k""#), "malformed"),
      (token(Self.good, header: #""kid":"k""#), "malformed"),
      (token(Self.good, ["iss": "\"https://evil.example.com\""]), "foreign"),
      (token(Self.good, ["sub": "\"https://login.example.com/lists/2\""]), "foreign"),
      (token(Self.good, ["sub": nil]), "foreign"), (token(Self.good, ["iat": nil]), "times_invalid"),
      (token(Self.good, ["iat": "1800000000"]), "times_invalid"), (token(Self.good, ["ttl": "0"]), "times_invalid"),
      (token(Self.good, ["exp": "1700000000"]), "expired"), (token(Self.good, ["exp": "\"never\""]), "times_invalid"),
      (token(#"{"bits":3,"lst":"eNrbuRgAAhcBXQ"}"#), "malformed"), (token(#"{"bits":1}"#), "malformed"),
      (token(#"{"bits":1,"lst":"eNrbuRgAAhcBXQ="}"#), "malformed"),
      (token(#"{"bits":1,"lst":"eNrbuRgAAhcB"}"#), "not_inflated"),
      (token(#"{"bits":1,"lst":"eNrbuRgAAhcBXQAA"}"#), "not_inflated"),
      (token(#"{"bits":1,"lst":"AAAA"}"#), "not_inflated"), ("<html>", "malformed"), ("", "malformed"),
    ] {
      guard case .failure(let failure) = await read(bad) else {
        Issue.record("\(code) was taken")
        continue
      }
      #expect(failure.code == code, "\(failure)")
    }
  }

  @Test("T103 A list that inflates a thousandfold is given up at the bound")
  func bomb() async throws {
    // Zeros: 16 MiB of them take 16 KiB.
    let zeros = try #require(zlibDeflated([UInt8](repeating: 0, count: 16 << 20)))
    #expect(zeros.count < 20_000)
    let list = "{\"bits\":8,\"lst\":\"\(base64URL(zeros))\"}"
    guard case .failure(let failure) = await read(token(list)) else {
      Issue.record("it was taken")
      return
    }
    #expect(failure.code == "not_inflated")
    let most = try #require(zlibDeflated([UInt8](repeating: 0, count: StatusListCheck.statusByteCountMax)))
    let good = try await read(token("{\"bits\":8,\"lst\":\"\(base64URL(most))\"}")).get()
    #expect(good.list.count == StatusListCheck.statusByteCountMax)
  }

  @Test("T103 A token may lead to hosts that the file names, and to no other, and to none in the clear")
  func hosts() {
    var issuer = Self.issuer()
    issuer.revocation = Revocation()
    issuer.revocation?.statusListHosts = ["Status.example.com"]
    func problem(_ url: String) -> String? {
      FetchURL(url).map { StatusListLoader.problem(with: $0, issuer) } ?? "no URL"
    }
    #expect(problem("https://login.example.com/x") == nil && problem("https://status.example.com:8443/x") == nil)
    for url in [
      "https://evil.example.com/x", "http://login.example.com/x", "https://169.254.169.254/x", "https://localhost/x",
      "http://127.0.0.1/x", "https://login.example.com.evil.org/",
    ] { #expect(problem(url) != nil, "\(url)") }
  }
}
