// A request of the gateway's own whose answer it reads itself, as when it asks a service about a request of a client.
// To its exchange it is the client: so it takes the way of every request to a server, with the upstream's TLS,
// balancing, limits and retries, whatever the protocol.
//
// Invariant: it ends exactly once, at its deadline at the latest, and nothing of its answer is looked at before.

import Bytes
import HTTPWire

/// A whole answer to a side request.
struct SideAnswer {
  fileprivate(set) var status = 0
  /// The head, to which the fields are offsets.
  fileprivate(set) var head: [UInt8] = []
  fileprivate(set) var fields: [FieldLine] = []
  fileprivate(set) var body: [UInt8] = []

  /// The values of a field, where they are in ``head``. What was for that connection only does not count.
  /// - Parameter name: in lower case.
  func values(of name: Span<UInt8>) -> [Range<Int>] {
    let head = head
    return fields.compactMap { field in
      let isOne = !field.isHopByHop && equalsIgnoringCase(head.span.extracting(field.name), name)
      return isOne ? field.value : nil
    }
  }

  func values(of known: KnownField) -> [Range<Int>] {
    fields.compactMap { $0.known == known && !$0.isHopByHop ? $0.value : nil }
  }
}

/// How a side request ended.
enum SideResult {
  case answered(SideAnswer)
  /// No whole answer came, for this reason.
  case failed(GatewayRefusal)
}

/// The base of what asks. Who asks is a subclass.
class SideRequest: UnattendedStream {
  final let client = Client.gateway
  final unowned let worker: Worker
  private final var exchange: Exchange?
  private final var answer = SideAnswer()
  private final var isTooLarge = false
  /// Its place among the worker's side requests.
  fileprivate final var index = -1
  private final var content: [UInt8] = []
  private final var isContentSent = false
  /// When the worker gives it up, in steady nanoseconds.
  final let end: Int64
  /// When its exchange is looked at.
  final var deadline = Int64.max

  /// LIMIT: bytes of an answer's body. With more of them it counts as none.
  static let bodyByteCountMax = 64 * 1024

  init(worker: Worker, end: Int64) {
    self.worker = worker
    self.end = end
  }

  /// Sends it. What it comes to may be known at once.
  /// - Parameters:
  ///   - head: request line and fields, with a Content-Length where there is a body.
  ///   - body: of a request that may be sent again all the same.
  ///   - asker: the request that it is sent for, and whose trace it is part of. Nil where there is none.
  final func send(_ head: [UInt8], body: [UInt8] = [], to pool: UpstreamPool, for asker: Exchange? = nil) {
    worker.add(self)
    content = body
    let exchange = worker.takeExchange(for: self)
    self.exchange = exchange
    if let asker, asker.snapshot.traces.isOn { exchange.joinTrace(of: asker) }
    exchange.startOwn(head, isComplete: body.isEmpty, at: pool)
    // A connection that is there already asks for no body.
    resumeInput()
  }

  /// What has come of it. For subclasses.
  func ended(_ result: SideResult) {}

  /// Its time is looked at.
  fileprivate final func tick(at now: Int64) {
    guard let exchange else { return }
    if now >= end || isTooLarge { return exchange.abandon(.upstreamTimeout) }
    if now < deadline { return }
    deadline = .max
    exchange.checkProgress()
  }

  // MARK: The exchange's client

  final var isSentAgain: Bool { true }
  final var isRepeatable: Bool { true }
  final func pauseReading() {}

  /// The server is there: the body may follow its head.
  final func resumeInput() {
    guard !isContentSent, !content.isEmpty, let exchange, exchange.isAcceptingBody else { return }
    isContentSent = true
    let content = content
    exchange.request.body.keptByteCountMax = content.count
    exchange.keep(content.span)
    exchange.writeUpstream(content.span)
    exchange.receivedBodyEnd()
  }

  final func writeHead(_ response: borrowing ResponseHead, framing: BodyFraming, of exchange: Exchange) {
    answer.status = response.status
    answer.head = response.bytes.copied()
    answer.fields = response.fields
  }

  final func writeBody(_ bytes: Span<UInt8>) {
    if isTooLarge { return }
    if answer.body.count + bytes.count > Self.bodyByteCountMax || worker.isMemoryFull {
      // The next tick ends it: the connection is in the middle of its read.
      isTooLarge = true
      exchange?.delivery.stream?.pauseReading()
      return
    }
    answer.body += bytes.copied()
    worker.holdMemory(bytes.count)
  }

  final func exchangeFinished(_ finished: Exchange, _ ending: ExchangeEnding) {
    exchange = nil
    let refusal = finished.answer.refusal
    worker.holdMemory(-answer.body.count)
    if finished.tracing.trace != nil { finished.recordAttempts(worker.time.nanoseconds) }
    worker.giveBack(finished)
    worker.forget(self)
    if isTooLarge {
      ended(.failed(.upstreamTruncated))
    } else if refusal != nil || ending != .complete || answer.status == 0 {
      if case .gateway(let reason) = refusal { ended(.failed(reason)) } else { ended(.failed(.upstreamClosed)) }
    } else {
      ended(.answered(answer))
    }
  }
}

extension Worker {
  fileprivate func add(_ request: SideRequest) {
    request.index = sideRequests.count
    sideRequests.append(request)
  }

  fileprivate func forget(_ request: SideRequest) {
    guard sideRequests.indices.contains(request.index), let last = sideRequests.popLast() else { return }
    if last !== request {
      sideRequests[request.index] = last
      last.index = request.index
    }
    request.index = -1
  }

  /// Another configuration: those who are asked are others, and so is what they are asked.
  func forgetAnswers() {
    authorizations.forget()
    introspections.forget()
    apiKeys.unknown.removeAll()
    circuits.forget()
  }

  func tickSideRequests() {
    for request in sideRequests { request.tick(at: time.nanoseconds) }
  }
}
