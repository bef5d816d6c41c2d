// Fetches small documents (key sets, discovery) off the hot path, each over a connection of its own. Posts messages, of
// which many may go over one. Bounded in time and bytes.
// Invariant: asks only the URL that it was given. Redirects are an error (T24), TLS peers are always verified (T25).

package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization
package import TLS

/// A client for http and https.
package struct DocumentFetcher: Sendable {
  private let group: any EventLoopGroup
  private let connectTimeout: Duration

  package init(group: any EventLoopGroup, connectTimeout: Duration = .seconds(5)) {
    self.group = group
    self.connectTimeout = connectTimeout
  }

  /// The document at the URL.
  /// - Parameters:
  ///   - url: taken as it is (T73).
  ///   - trust: for https. read again each time, so that a renewed file counts.
  ///   - terms: what else is asked for.
  ///   - deadline: for all of it, name look-up included.
  ///   - byteCountMax: of the body.
  package func get(
    url: String, trust: Trust = .system, _ terms: FetchTerms = FetchTerms(), deadline: Duration = .seconds(10),
    byteCountMax: Int = 1 << 20
  ) async throws(FetchError) -> Document {
    try await exchange(url, post: nil, terms, trust, deadline, byteCountMax)
  }

  /// Sends a message to the URL.
  /// - Returns: the answer, whatever its status.
  package func post(
    _ post: Posting, to url: String, trust: Trust = .system, deadline: Duration = .seconds(10),
    byteCountMax: Int = 1 << 16
  ) async throws(FetchError) -> Document {
    try await exchange(url, post: post, FetchTerms(), trust, deadline, byteCountMax)
  }

  /// Sends one of many messages to the URL.
  /// - Parameters:
  ///   - kept: a connection to the URL that is used instead of a new one.
  ///   - keep: is given the connection, where it is good for another message.
  /// - Returns: the answer, whatever its status.
  func post(
    _ post: Posting, to url: String, trust: Trust, over kept: KeptConnection?, deadline: Duration,
    byteCountMax: Int = 1 << 16, keep: @escaping @Sendable (KeptConnection) -> Void
  ) async throws(FetchError) -> Document {
    guard let kept else {
      return try await exchange(url, post: post, FetchTerms(), trust, deadline, byteCountMax, keep)
    }
    let flight = Flight(loop: kept.channel.eventLoop, keep: keep)
    return try await outcome(of: flight, within: deadline) {
      flight.connected(kept.channel)
      kept.channel.eventLoop.execute {
        kept.collector.value.sendNext(post) { flight.finish($0, kept: $1) }
      }
    }
  }

  private func exchange(
    _ url: String, post: Posting?, _ terms: FetchTerms, _ trust: Trust, _ deadline: Duration, _ byteCountMax: Int,
    _ keep: (@Sendable (KeptConnection) -> Void)? = nil
  ) async throws(FetchError) -> Document {
    guard let url = FetchURL(url) else { throw .urlInvalid(url) }
    let flight = Flight(loop: group.next(), keep: keep)
    return try await outcome(of: flight, within: deadline) {
      connect(flight, url: url, post: post, terms: terms, trust: trust, byteCountMax: byteCountMax)
    }
  }

  private func outcome(
    of flight: Flight, within deadline: Duration, _ begin: () -> Void
  ) async throws(FetchError) -> Document {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        flight.begin(deadline: deadline) { continuation.resume(returning: $0) }
        begin()
      }
    } onCancel: {
      flight.finish(.failure(.cancelled))
    }
    return try result.get()
  }

  private func connect(
    _ flight: Flight, url: FetchURL, post: Posting?, terms: FetchTerms, trust: Trust, byteCountMax: Int
  ) {
    var tls: ClientContext?
    if url.isSecure {
      do throws(TLSError) {
        tls = try ClientContext(trust: trust)
      } catch {
        return flight.finish(.failure(.tlsFailed(error.reason)))
      }
    }
    ClientBootstrap(group: flight.loop)
      .connectTimeout(.init(connectTimeout))
      .channelInitializer { [tls] channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls {
            try pipeline.addHandler(TLSClientHandler(session: TLSSession(client: tls, host: url.host)))
          }
          try pipeline.addHTTPClientHandlers()
          let collector = DocumentCollector(
            url: url, post: post, isKept: flight.isKept, terms: terms, byteCountMax: byteCountMax
          ) { flight.finish($0, kept: $1) }
          try pipeline.addHandler(collector)
        }
      }
      .connect(host: url.host, port: Int(url.port))
      .whenComplete { result in
        switch result {
        case .success(let channel): flight.connected(channel)
        case .failure(let error): flight.finish(.failure(Self.describe(error)))
        }
      }
  }

  private static func describe(_ error: any Error) -> FetchError {
    switch error {
    case is ChannelError: .timeout
    case let error as TLSError: .tlsFailed(error.reason)
    case let error as NIOConnectionError:
      if error.connectionErrors.contains(where: { isTimeout($0.error) }) {
        .timeout
      } else if let first = error.connectionErrors.first {
        .connectFailed(words(first.error))
      } else {
        .connectFailed("the name \(error.host) does not resolve")
      }
    default: .connectFailed(words(error))
    }
  }

  private static func isTimeout(_ error: any Error) -> Bool {
    if case .some(.connectTimeout) = error as? ChannelError { true } else { false }
  }

  private static func words(_ error: any Error) -> String {
    // IOError's own words name the system call twice.
    (error as? IOError).map { SystemFiles.words(of: $0.errnoCode) } ?? String(describing: error)
  }
}

/// One fetch under way. The first to finish (response, error, deadline, cancellation) decides, once.
private final class Flight: Sendable {
  private struct State {
    var report: (@Sendable (Result<Document, FetchError>) -> Void)?
    var early: Result<Document, FetchError>?
    var isFinished = false
    var channel: (any Channel)?
    var deadline: Scheduled<Void>?
  }

  let loop: any EventLoop
  private let state = Mutex(State())

  /// Nil where the connection is for one exchange.
  private let keep: (@Sendable (KeptConnection) -> Void)?

  var isKept: Bool { keep != nil }

  init(loop: any EventLoop, keep: (@Sendable (KeptConnection) -> Void)?) {
    self.loop = loop
    self.keep = keep
  }

  func begin(deadline: Duration, report: @escaping @Sendable (Result<Document, FetchError>) -> Void) {
    let timer = loop.scheduleTask(in: .init(deadline)) { self.finish(.failure(.timeout)) }
    let early = state.withLock { state in
      state.deadline = timer
      // Cancelled before it began.
      if state.isFinished { return state.early }
      state.report = report
      return nil
    }
    if let early {
      timer.cancel()
      report(early)
    }
  }

  func connected(_ channel: any Channel) {
    let isLate = state.withLock { state in
      state.channel = channel
      return state.isFinished
    }
    if isLate { channel.close(promise: nil) }
  }

  /// - Parameter kept: the connection, where it is good for another message. Any other is closed.
  func finish(_ result: Result<Document, FetchError>, kept: KeptConnection? = nil) {
    let last = state.withLock { state -> State? in
      if state.isFinished { return nil }
      state.isFinished = true
      state.early = result
      defer { state.report = nil }
      return state
    }
    // Too late: the deadline has closed the channel, or will once there is one.
    guard let last else { return }
    last.deadline?.cancel()
    if let kept, let keep { keep(kept) } else { last.channel?.close(promise: nil) }
    last.report?(result)
  }
}
