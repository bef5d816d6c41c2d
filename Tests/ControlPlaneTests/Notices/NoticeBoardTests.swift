// What the gateway remembers of what went wrong: one of a kind a minute, the last twenty, in words.

import Logging
import Testing

@testable import ControlPlane
@testable import Proxy
@testable import Tokens
@testable import Transport

@Suite("Notices")
struct NoticeBoardTests {
  private func refusal(
    _ refusal: TokenRefusal, issuer: String? = "login", id: String, leftOut: Int = 0, isShadow: Bool = false
  ) -> RefusalNotice {
    RefusalNotice(
      refusal: refusal, route: "door", issuer: issuer, detail: RefusalDetail(expected: "shop", got: "account"),
      requestID: id, leftOut: leftOut, isShadow: isShadow)
  }

  private func board() -> NoticeBoard { NoticeBoard(log: Logger(label: "test"), wallTime: { 1_700_000_000_000 }) }

  @Test("A refusal becomes a sentence with both values, and its request's id beside it")
  func words() {
    let board = board()
    board.post(refusal(.audienceMismatch, id: "r1"))
    #expect(
      board.last == [
        Notice(
          time: 1_700_000_000_000, kind: "audience_mismatch",
          sentence: "audience_mismatch: expected shop, got account, issuer login, route door", requestID: "r1")
      ])
  }

  @Test("A refusal in shadow says that it is one")
  func shadow() {
    let board = board()
    board.post(refusal(.audienceMismatch, id: "r1", isShadow: true))
    #expect(board.last.first?.sentence.hasSuffix("route door, mode shadow") == true)
  }

  @Test("Of one kind there is one a minute, from whichever worker, and other kinds are kept meanwhile")
  func gate() {
    let board = board()
    let start = ContinuousClock.now
    board.post(refusal(.audienceMismatch, id: "r1"), at: start)
    board.post(refusal(.audienceMismatch, id: "r2"), at: start + .seconds(59))
    board.post(refusal(.audienceMismatch, issuer: "partner", id: "r3"), at: start + .seconds(59))
    board.post(refusal(.tokenExpired, id: "r4"), at: start + .seconds(59))
    board.post(refusal(.audienceMismatch, id: "r5"), at: start + .seconds(60))
    #expect(board.last.map(\.requestID) == ["r5", "r4", "r3", "r1"])
  }

  @Test("The last twenty are kept, the newest first")
  func bound() {
    let board = board()
    for number in 0..<25 { board.postKeys(issuer: "i\(number)", url: nil, reason: "timeout") }
    #expect(board.last.count == Newest<Notice>.countMax)
    #expect(board.last.first?.sentence == "keys cannot be loaded: issuer i24, reason timeout")
    #expect(board.last.last?.sentence == "keys cannot be loaded: issuer i5, reason timeout")
    #expect(board.last.allSatisfy { $0.kind == "keys" })
    #expect(board.last.allSatisfy { $0.requestID == nil })
  }

  @Test("An answer in plain text where TLS is expected says so")
  func plainText() {
    let board = board()
    board.post(
      ServerHandshakeFailure(
        group: .upstream("app"), server: "10.0.0.1:80", serverName: "app.test", reason: "wrong version number"))
    #expect(
      board.last.first?.sentence
        == "TLS to an upstream failed: upstream app, server 10.0.0.1:80, server_name app.test, error the server's "
        + "answer is not TLS: remove 'tls' from the upstream, or correct its port (wrong version number)")
  }
}
