// One stream of a client's HTTP/2 connection: the client's side of one exchange. Kept by its connection for the next
// one.

import Bytes
import HTTP2
import HTTPWire

final class HTTP2DownstreamStream: DownstreamStream, HTTP2Stream {
  /// Lets go of its streams when it ends. Not unowned, as each look at it would cost two atomic operations.
  private let connection: HTTP2DownstreamConnection
  private let session: HTTP2Session
  private let worker: Worker
  let client: Client
  private(set) var id = StreamID(id: 0, slot: 0)
  private(set) var exchange: Exchange?
  /// Body that came before anybody takes it. The stream's window bounds it: what waits here gives the client no credit.
  private var held = ByteQueue()
  /// What the request has in memory beyond what all have: heads that are large, what is held of its body.
  private var requestByteCount = 0 {
    didSet { connection.requestByteCount += requestByteCount - oldValue }
  }
  /// Passed on while the upstream was full. The client may send as much again when it is not.
  private var owedByteCount = 0
  private var isPaused = false
  private var isEnded = false
  /// The response's END_STREAM is said.
  private var hasFinished = false
  private var writtenByteCount: UInt64 = 0
  private(set) var lastBodyReadAt: Int64 = 0

  init(connection: HTTP2DownstreamConnection) {
    self.connection = connection
    session = connection.session
    worker = connection.worker
    client = connection.client
  }

  var deadline = Int64.max {
    didSet { connection.expect(deadline) }
  }

  // MARK: The request

  func begin(_ exchange: Exchange, id: StreamID) {
    self.id = id
    self.exchange = exchange
    lastBodyReadAt = worker.time.nanoseconds
    deadline = worker.time.nanoseconds &+ exchange.snapshot.bodyTimeout
  }

  func receivedHead(isEnd: Bool) {
    isEnded = isEnd
    exchange?.request.body.isComplete = isEnd
    exchange?.start()
    if let exchange, exchange.request.head.bytes.count > Exchange.keptByteCount { countRequest() }
  }

  private func countRequest() {
    requestByteCount =
      exchange.map {
        $0.request.head.bytes.count + $0.upstreamHead.bytes.count + $0.request.body.kept.allocatedByteCount
          + held.allocatedByteCount
      } ?? 0
  }

  func settleKeptBody() {
    countRequest()
    connection.settleHeld()
  }

  func receivedBody(_ bytes: Span<UInt8>) {
    lastBodyReadAt = worker.time.nanoseconds
    guard let exchange else {
      // Answered already.
      session.consumed(id, bytes.count)
      return
    }
    if exchange.isAcceptingBody, held.isEmpty, !isPaused {
      pass(bytes, to: exchange)
    } else {
      held.append(bytes)
      countRequest()
    }
  }

  private func pass(_ bytes: Span<UInt8>, to exchange: Exchange) {
    if bytes.count > 0 { exchange.receivedBody(bytes) }
    owedByteCount += bytes.count
    if !isPaused { giveCredit() }
  }

  private func giveCredit() {
    if owedByteCount > 0 { session.consumed(id, owedByteCount) }
    owedByteCount = 0
  }

  func receivedEnd() {
    isEnded = true
    passEnd()
  }

  private func passEnd() {
    guard isEnded, held.isEmpty, let exchange, !exchange.request.body.isComplete, exchange.isAcceptingBody else {
      return
    }
    exchange.receivedBodyEnd()
  }

  func pauseReading() { isPaused = true }

  func resumeInput() {
    // The time in which it could not send is not held against the client.
    if isPaused { lastBodyReadAt = worker.time.nanoseconds }
    isPaused = false
    giveCredit()
    if let exchange, exchange.isAcceptingBody {
      if !held.isEmpty {
        var taken = ByteQueue()
        swap(&taken, &held)
        pass(taken.span, to: exchange)
        countRequest()
      }
      passEnd()
    }
    connection.flush()
  }

  var isBodyAwaited: Bool { !isEnded && !isPaused && exchange?.isAcceptingBody ?? false }

  // MARK: The response

  var isOutputFull: Bool { session.isOutputFull(id, highWater: worker.outputHighWater) }
  func awaitDrain() { session.awaitDrain(of: id) }

  var unsentByteCount: Int { session.outputByteCount(of: id) }
  var sentByteCount: UInt64 { writtenByteCount &- UInt64(clamping: unsentByteCount) }
  func endAfterResponse() {}

  func writeInformational(_ response: borrowing ResponseHead, of exchange: Exchange) {
    worker.headerList.setStatus(response.status)
    exchange.writeInterimLines(of: response, to: &worker.headerList)
    writtenByteCount &+= UInt64(session.submitInterim(&worker.headerList, on: id))
    connection.flush()
  }

  func writeHead(_ response: borrowing ResponseHead, framing: BodyFraming, of exchange: Exchange) {
    worker.headerList.setStatus(response.status)
    exchange.writeLines(of: response, framing: framing, to: &worker.headerList)
    hasFinished = exchange.answer.endsWithHead(framing)
    writtenByteCount &+= UInt64(session.submitResponse(&worker.headerList, on: id, isEnd: hasFinished))
    connection.flush()
  }

  /// RFC 8441 §5: 200 in place of 101.
  func openTunnel(_ response: borrowing ResponseHead, of exchange: Exchange) {
    worker.headerList.setStatus(200)
    exchange.writeTunnelLines(of: response, to: &worker.headerList)
    writtenByteCount &+= UInt64(session.submitResponse(&worker.headerList, on: id, isEnd: false))
    connection.flush()
  }

  func writeBody(_ bytes: Span<UInt8>) {
    if hasFinished { return }
    writtenByteCount &+= UInt64(bytes.count)
    session.append(bytes, to: id)
    connection.flush()
  }

  func writeEnd(trailers: borrowing FieldSection) {
    if hasFinished { return }
    hasFinished = true
    var lines = ByteQueue()
    exchange?.writeKept(trailers, to: &lines)
    session.finish(id, trailers: lines.span)
    connection.flush()
  }

  func write(_ answer: GatewayAnswer, of exchange: Exchange) {
    worker.headerList.setStatus(answer.status)
    exchange.writeLines(of: answer, to: &worker.headerList)
    hasFinished = true
    let hasBody = answer.hasContent(for: exchange.request.head.method)
    writtenByteCount &+= UInt64(session.submitResponse(&worker.headerList, on: id, isEnd: !hasBody))
    if hasBody {
      writtenByteCount &+= UInt64(answer.body.count)
      session.append(answer.body.span, to: id)
      session.finish(id)
    }
    connection.flush()
  }

  // MARK: The end

  func exchangeFinished(_ finished: Exchange, _ ending: ExchangeEnding) {
    exchange = nil
    deadline = .max
    worker.giveBack(finished)
    switch ending {
    case .complete: break
    // The client must not take what it has for the whole (T61).
    case .truncated: session.reset(id, code: ErrorCode.internalError)
    case .abandoned: session.reset(id, code: ErrorCode.cancel)
    }
    held.releaseStorage()
    if requestByteCount > 0 { requestByteCount = 0 }
    // What came and nobody took must not hold the window shut for the rest of the body.
    giveCredit()
    connection.exchangeEnded()
    connection.flush()
  }

  func has(_ id: StreamID) -> Bool { self.id == id }

  func deadlinePassed() { exchange?.checkProgress() }

  func reset() {
    held.releaseStorage()
    owedByteCount = 0
    isPaused = false
    isEnded = false
    hasFinished = false
    writtenByteCount = 0
    deadline = .max
  }
}

extension HeaderList: HeadSink {
  private static let date = Array("date".utf8)
  private static let contentLength = Array("content-length".utf8)

  @inline(__always)
  mutating func append(_ fields: Range<Int>, of response: borrowing ResponseHead) {
    let bytes = response.bytes.span
    for index in fields { append(response.fields[index], of: bytes) }
  }

  mutating func append(_ date: DateField) {
    append(name: Self.date.span, value: date.line.span.extracting(date.value))
  }

  mutating func append(contentLength: Int) {
    var digits = ByteQueue()
    digits.append(decimal: UInt64(contentLength))
    append(name: Self.contentLength.span, value: digits.span)
  }
}
