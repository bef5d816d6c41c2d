// Shadow traffic: a copy of a request for another upstream. The copy is an exchange of its own, whose client is this
// stream: it has no socket, takes every answer and forgets it. What the copy does, or fails to do, touches nothing of
// the request.
//
// Invariant: the request never waits for its copy. A copy that cannot follow is dropped.

import Bytes
import Configuration
import HTTPWire

/// What became of a copy, for `catraca_mirrored_total`.
package enum MirrorResult: Int, Sendable, CaseIterable {
  /// Whatever the answer was.
  case answered
  /// No whole answer came.
  case failed
  /// Dropped here: its server was too slow, too many copies were under way, or the request itself was not completed.
  case dropped

  package var label: String {
    switch self {
    case .answered: "answered"
    case .failed: "failed"
    case .dropped: "dropped"
    }
  }
}

final class MirrorStream: UnattendedStream {
  let client: Client
  private let worker: Worker
  private let route: Int
  private(set) var exchange: Exchange?
  /// Its index among the worker's copies.
  fileprivate var index = -1
  /// Body that the server does not take yet.
  private var held = ByteQueue()
  /// As the worker's share of memory has it.
  private var heldByteCount = 0
  private var trailers = ByteQueue()
  private var isPaused = false
  private var isEnded: Bool
  private var isDropped = false
  /// When the copy is dropped. Never while its request is under way.
  var deadline = Int64.max

  /// LIMIT: bytes of a body that wait for a server which is slower than the request. Past it the copy is dropped.
  private static let heldByteCountMax = 256 * 1024
  /// LIMIT: copies under way in one worker. Past it requests are not copied.
  private static let countMax = 1024
  /// LIMIT: how long a copy may outlive its request, in nanoseconds.
  private static let outliveNanoseconds: Int64 = 30_000_000_000

  private init(of original: Exchange, client: Client, route: Int) {
    self.client = client
    self.route = route
    worker = original.worker
    isEnded = original.request.body.isComplete && !original.request.body.isReplayDue
  }

  /// Sends a copy of the request to the route's mirror, for the share of requests that it names.
  static func start(_ mirror: Mirroring, of original: Exchange, on route: CompiledRoute) -> MirrorStream? {
    let worker = original.worker
    if original.request.handshake.isRequested { return nil }
    if worker.randomIdentifiers.next() % 100 >= UInt64(clamping: mirror.percent) { return nil }
    // An index of another configuration would be another upstream.
    guard let client = original.downstream?.client, original.snapshot === worker.snapshot,
      worker.pools.indices.contains(mirror.upstream), worker.mirrors.count < countMax
    else {
      worker.counters.countMirrored(route: route.counterID, .dropped)
      return nil
    }
    let stream = MirrorStream(of: original, client: client, route: route.counterID)
    worker.add(stream)
    let pool = worker.pools[mirror.upstream]
    let isHostOther = original.delivery.pool?.hasOwnHost ?? false
    stream.begin(
      original.upstreamHead.bytes.copied(), host: isHostOther ? original.request.head.authorityBytes : nil, at: pool)
    return stream
  }

  /// Sends the copy on its way: the head as the request's own server gets it, which is all that the copy knows of it.
  /// - Parameter host: replaces its Host, where the request's own server gets another one than the copy's.
  private func begin(_ head: [UInt8], host: [UInt8]?, at pool: UpstreamPool) {
    let copy = worker.takeExchange(for: self)
    copy.delivery.pool = pool
    exchange = copy
    // A copy waits for no permit: there is one, or it is dropped.
    guard pool.admitNow(copy) else { return drop() }
    guard let server = copy.delivery.server else { return copy.abandon(.upstreamConnectFailed) }
    let host = pool.ownHost(at: server) ?? host
    copy.startOwn(head, host: host, isComplete: isEnded, at: pool, server)
  }

  // MARK: The request

  func receivedBody(_ bytes: Span<UInt8>) {
    guard let exchange, !isEnded else { return }
    if exchange.isAcceptingBody, held.isEmpty, !isPaused {
      pass(bytes, to: exchange)
    } else if held.count + bytes.count > Self.heldByteCountMax || worker.isMemoryFull {
      drop()
    } else {
      held.append(bytes)
      countHeld()
    }
  }

  private func countHeld() {
    worker.holdMemory(held.allocatedByteCount - heldByteCount)
    heldByteCount = held.allocatedByteCount
  }

  func receivedEnd(trailers: Span<UInt8>) {
    if exchange == nil || isEnded { return }
    isEnded = true
    self.trailers.append(trailers)
    passEnd()
  }

  private func pass(_ bytes: Span<UInt8>, to exchange: Exchange) {
    exchange.request.body.byteCount &+= UInt64(bytes.count)
    exchange.writeUpstream(bytes)
  }

  private func passEnd() {
    guard isEnded, held.isEmpty, let exchange, !exchange.request.body.isComplete, exchange.isAcceptingBody else {
      return
    }
    exchange.request.body.isComplete = true
    var taken = ByteQueue()
    swap(&taken, &trailers)
    exchange.delivery.stream?.writeEnd(trailers: taken.span)
  }

  /// The request is over. What is left of the copy may take some more time.
  func requestEnded() {
    if exchange == nil { return }
    if isEnded { deadline = worker.time.nanoseconds &+ Self.outliveNanoseconds } else { drop() }
  }

  func drop() {
    isDropped = true
    exchange?.abandon(.clientClosed)
  }

  func pauseReading() { isPaused = true }

  func resumeInput() {
    isPaused = false
    guard let exchange, exchange.isAcceptingBody else { return }
    if !held.isEmpty {
      var taken = ByteQueue()
      swap(&taken, &held)
      pass(taken.span, to: exchange)
      countHeld()
    }
    passEnd()
  }

  // MARK: The answer, which nobody sees

  func writeHead(_ response: borrowing ResponseHead, framing: BodyFraming, of exchange: Exchange) {}
  func writeBody(_ bytes: Span<UInt8>) {}

  func exchangeFinished(_ finished: Exchange, _ ending: ExchangeEnding) {
    exchange = nil
    let result: MirrorResult = isDropped ? .dropped : finished.answer.refusal == nil ? .answered : .failed
    worker.counters.countMirrored(route: route, result)
    worker.giveBack(finished)
    held.releaseStorage()
    countHeld()
    worker.forget(self)
  }
}

extension RequestHead {
  fileprivate var authorityBytes: [UInt8]? {
    guard let authority else { return nil }
    return bytes.span.extracting(authority).copied()
  }
}

extension Worker {
  fileprivate func add(_ mirror: MirrorStream) {
    mirror.index = mirrors.count
    mirrors.append(mirror)
  }

  fileprivate func forget(_ mirror: MirrorStream) {
    guard mirrors.indices.contains(mirror.index), let last = mirrors.popLast() else { return }
    if last !== mirror {
      mirrors[mirror.index] = last
      last.index = mirror.index
    }
    mirror.index = -1
  }

  /// Gives up copies whose time is over.
  func endLateMirrors() {
    for mirror in mirrors where mirror.deadline <= time.nanoseconds { mirror.drop() }
  }
}
