// What a worker loop reports to the outside, which is the control plane.

package import Proxy
package import Tokens

/// What a worker loop reports to the outside. All are called on the worker's loop and must not block.
package struct WorkerOutlets: Sendable {
  /// Access log lines, complete ones only.
  package var log: @Sendable ([UInt8]) -> Void
  /// Spans of traced requests.
  package var spans: @Sendable (RecordBatch) -> Void
  /// Records of the access log, for a collector.
  package var logRecords: @Sendable (RecordBatch) -> Void
  /// Requests wait for an answer. `reply` takes it at any time, on any thread.
  package var ask:
    @Sendable (_ question: Question, _ credential: [UInt8], _ reply: @escaping @Sendable (Answer) -> Void) -> Void
  /// A session begins or ends. `reply` takes at any time, on any thread, whether that is done.
  package var changeSession: @Sendable (SessionChange, _ reply: @escaping @Sendable (Bool) -> Void) -> Void
  /// A browser is at a path of a login. `reply` takes what it is told at any time, on any thread.
  package var login: @Sendable (LoginRequest, _ reply: @escaping @Sendable (LoginReply) -> Void) -> Void
  /// The provider's tokens of the question's session are due. `reply` takes what has come of it, as `ask` does.
  package var refreshSession:
    @Sendable (_ question: Question, _ session: String, _ reply: @escaping @Sendable (Answer) -> Void) -> Void
  /// A server's handshake failed, at most once in ten seconds for each upstream or store.
  package var serverHandshakeFailed: @Sendable (ServerHandshakeFailure) -> Void
  /// A token was refused: once a minute at most for each reason and issuer.
  package var tokenRefused: @Sendable (RefusalNotice) -> Void
  /// A server's state has changed. Reported once, by whichever worker saw it first.
  package var upstreamChanged: @Sendable (_ upstream: String, _ change: UpstreamChange) -> Void
  /// A store's server went down, came back, or refuses commands. Each worker reports what it sees.
  package var storeChanged: @Sendable (StoreReport) -> Void
  /// There is no room for another connection: reported once a minute at most.
  package var slotsShort: @Sendable (SlotShortage) -> Void

  package init(
    log: @escaping @Sendable ([UInt8]) -> Void,
    spans: @escaping @Sendable (RecordBatch) -> Void = { _ in },
    logRecords: @escaping @Sendable (RecordBatch) -> Void = { _ in },
    ask: @escaping @Sendable (Question, _ credential: [UInt8], _ reply: @escaping @Sendable (Answer) -> Void) -> Void,
    changeSession: @escaping @Sendable (SessionChange, @escaping @Sendable (Bool) -> Void) -> Void = { $1(false) },
    login: @escaping @Sendable (LoginRequest, @escaping @Sendable (LoginReply) -> Void) -> Void = {
      $1(.failed(code: "login_provider_unavailable", cookies: []))
    },
    refreshSession: @escaping @Sendable (Question, _ session: String, @escaping @Sendable (Answer) -> Void) -> Void = {
      $2(.refused(.sessionStoreUnavailable))
    },
    serverHandshakeFailed: @escaping @Sendable (ServerHandshakeFailure) -> Void,
    tokenRefused: @escaping @Sendable (RefusalNotice) -> Void,
    upstreamChanged: @escaping @Sendable (_ upstream: String, _ change: UpstreamChange) -> Void,
    storeChanged: @escaping @Sendable (StoreReport) -> Void = { _ in },
    slotsShort: @escaping @Sendable (SlotShortage) -> Void
  ) {
    self.log = log
    self.spans = spans
    self.logRecords = logRecords
    self.ask = ask
    self.changeSession = changeSession
    self.login = login
    self.refreshSession = refreshSession
    self.serverHandshakeFailed = serverHandshakeFailed
    self.tokenRefused = tokenRefused
    self.upstreamChanged = upstreamChanged
    self.storeChanged = storeChanged
    self.slotsShort = slotsShort
  }
}

/// A TLS handshake with a server that failed.
package struct ServerHandshakeFailure: Sendable {
  package var group: ServerGroup
  /// Its address.
  package var server: String
  /// What its certificate must be for.
  package var serverName: String
  package var reason: String
}
