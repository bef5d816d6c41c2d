// What went wrong lately, in words with both values: in the log once a minute for each kind, and the last ones in
// memory for `/status`.

internal import FoundationEssentials
package import Logging
internal import NIOConcurrencyHelpers
package import Proxy
internal import Tokens
package import Transport

/// One thing that went wrong.
package struct Notice: Sendable, Equatable {
  /// Milliseconds since 1970.
  package var time: Int64
  /// A stable word: the code of a refusal, `keys` or `upstream_handshake_failed`.
  package var kind: String
  /// For people. It has no secret and no whole token, and no character that moves a terminal.
  package var sentence: String
  package var requestID: String?
}

/// One a process. Any thread may post.
package final class NoticeBoard: Sendable {
  private struct State {
    var notices = Newest<Notice>()
    var kinds: [String: Kind] = [:]
  }

  private struct Kind {
    var reportedAt: ContinuousClock.Instant
    var leftOut = 0
  }

  // LIMIT: kinds that are remembered. Past it all are forgotten, and may be reported again.
  private static let kindCountMax = 1024
  private static let interval = Duration.seconds(60)

  private let log: Logger
  private let wallTime: @Sendable () -> Int64
  private let state = NIOLockedValueBox(State())

  package init(log: Logger, wallTime: (@Sendable () -> Int64)? = nil) {
    self.log = log
    self.wallTime = wallTime ?? Self.now
  }

  private static let now: @Sendable () -> Int64 = { Int64(Date.now.timeIntervalSince1970 * 1000) }

  /// The last ones, the newest first.
  package var last: [Notice] { state.withLockedValue(\.notices.elements) }

  /// A token was refused.
  package func post(_ notice: RefusalNotice, at now: ContinuousClock.Instant = .now) {
    let code = notice.refusal.rawValue
    let facts: [(name: String, value: String)] = [
      ("expected", notice.detail.expected), ("got", notice.detail.got), ("issuer", notice.issuer ?? ""),
      ("route", notice.route), ("mode", notice.isShadow ? "shadow" : ""),
    ].filter { !$0.value.isEmpty }
    guard
      let leftOut = take(
        "\(code) \(notice.issuer ?? "")", notice.leftOut, at: now,
        Notice(time: wallTime(), kind: code, sentence: Self.words(code, facts), requestID: notice.requestID))
    else { return }
    var metadata: Logger.Metadata = ["code": "\(code)", "request_id": "\(notice.requestID)"]
    for fact in facts { metadata[fact.name] = "\(fact.value)" }
    if leftOut > 0 { metadata["left_out"] = "\(leftOut)" }
    log.log(
      level: notice.refusal.isUsual ? .info : .notice,
      notice.isShadow ? "a token would have been refused" : "a token was refused",
      metadata: metadata)
  }

  /// The keys of an issuer cannot be loaded. The log has it already.
  package func postKeys(issuer: String, url: String?, reason: String) {
    let facts = [("issuer", issuer), ("url", url ?? ""), ("reason", reason)].filter { !$0.1.isEmpty }
    let notice = Notice(time: wallTime(), kind: "keys", sentence: Self.words("keys cannot be loaded", facts))
    state.withLockedValue { $0.notices.note(notice) }
  }

  /// A list of revoked tokens cannot be read. The log has it already.
  func postRevocation(_ list: String, issuer: String, reason: String) {
    let words = Self.words(
      "a list of revoked tokens cannot be read",
      [
        ("issuer", issuer), ("list", list), ("reason", reason),
      ])
    state.withLockedValue { $0.notices.note(Notice(time: wallTime(), kind: "revocation", sentence: words)) }
  }

  /// TLS with a server failed.
  package func post(_ failure: ServerHandshakeFailure) {
    let kind = "upstream_handshake_failed"
    let words: Logger.Message = failure.section == "store" ? "TLS to a store failed" : "TLS to an upstream failed"
    let facts = [
      (failure.section, failure.group.name), ("server", failure.server), ("server_name", failure.serverName),
      ("error", failure.words),
    ]
    guard
      let leftOut = take(
        "\(kind) \(failure.group) \(failure.server)", 0, at: .now,
        Notice(time: wallTime(), kind: kind, sentence: Self.words("\(words)", facts)))
    else { return }
    var metadata: Logger.Metadata = [:]
    for fact in facts { metadata[fact.0] = "\(fact.1)" }
    if leftOut > 0 { metadata["left_out"] = "\(leftOut)" }
    log.warning(words, metadata: metadata)
  }

  /// - Returns: those of the kind that were left out before. Nil where this one is left out.
  private func take(_ kind: String, _ leftOut: Int, at now: ContinuousClock.Instant, _ notice: Notice) -> Int? {
    state.withLockedValue { state -> Int? in
      if let known = state.kinds[kind], now - known.reportedAt < Self.interval {
        state.kinds[kind]?.leftOut += leftOut + 1
        return nil
      }
      let before = state.kinds[kind]?.leftOut ?? 0
      if state.kinds.count >= Self.kindCountMax { state.kinds.removeAll() }
      state.kinds[kind] = Kind(reportedAt: now)
      state.notices.note(notice)
      return before + leftOut
    }
  }

  private static func words(_ what: String, _ facts: [(name: String, value: String)]) -> String {
    what + ": " + facts.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
  }
}

extension TokenRefusal {
  /// Whether it comes with honest clients every day: the others hint at a configuration that does not fit.
  fileprivate var isUsual: Bool {
    switch self {
    case .tokenMissing, .tokenAmbiguous, .tokenExpired, .tokenNotYetValid, .tokenTooOld, .scopeMissing, .claimMismatch,
      .keysUnavailable, .introspectionUnavailable, .tokenInactive, .tokenRevoked, .revocationUnavailable,
      .sessionMissing, .sessionExpired, .sessionStoreUnavailable, .authenticationInsufficient, .apiKeyMissing,
      .apiKeyExpired, .apiKeyStoreUnavailable, .proofMissing, .proofReplayed,
      .proofNonceDemanded, .proofsUnavailable, .tokenBound:
      true
    case .schemeNotBearer, .tokenMalformed, .tokenTooLarge, .criticalHeaderUnknown, .typeNotAllowed,
      .algorithmNotAllowed, .issuerUnknown, .keyUnknown, .signatureInvalid, .claimInvalid, .audienceMismatch,
      .claimMissing, .apiKeyInvalid, .proofInvalid:
      false
    }
  }
}

extension ServerHandshakeFailure {
  fileprivate var section: String {
    switch group {
    case .upstream: "upstream"
    case .store: "store"
    }
  }

  /// OpenSSL's words for an answer in plain text help nobody.
  fileprivate var words: String {
    reason.contains("wrong version number") || reason.contains("packet length too long")
      ? "the server's answer is not TLS: remove 'tls' from the \(section), or correct its port (\(reason))" : reason
  }
}
