// One check of a server by a request. To its exchange it is the client: so a check takes the way of every request to a
// server, whatever the protocol, with TLS and without.

import Bytes
import Configuration
import HTTPWire

final class HealthProbe: UnattendedStream {
  private unowned let check: ServerCheck
  var exchange: Exchange?
  private var status = 0
  private var body: [UInt8] = []
  private var hasSentMessage = false

  // LIMIT: so much of an answer's body is looked at. The rest is read and thrown away.
  private static let bodyByteCountMax = 64 * 1024

  init(_ check: ServerCheck) { self.check = check }

  var client: Client { .gateway }
  // The check keeps the time.
  var deadline = Int64.max

  func pauseReading() {}

  /// The server is there: gRPC's question may follow its head.
  func resumeInput() {
    guard check.rules.kind == .grpc, !hasSentMessage, let exchange else { return }
    hasSentMessage = true
    let message = Self.message(service: check.rules.service)
    exchange.writeUpstream(message.span)
    exchange.receivedBodyEnd()
  }

  func writeHead(_ response: borrowing ResponseHead, framing: BodyFraming, of exchange: Exchange) {
    status = response.status
  }

  func writeBody(_ bytes: Span<UInt8>) {
    if check.rules.kind == .http, check.rules.body == nil { return }
    let count = min(bytes.count, Self.bodyByteCountMax - body.count)
    body += bytes.extracting(0..<count).copied()
  }

  func exchangeFinished(_ finished: Exchange, _ ending: ExchangeEnding) {
    let result = self.result(of: finished)
    exchange = nil
    check.conclude(result, status: status)
    finished.worker.giveBack(finished)
  }

  /// Nil when nothing was learned.
  private func result(of finished: Exchange) -> CheckResult? {
    switch finished.answer.refusal {
    case nil: break
    case .gateway(.upstreamTimeout), .gateway(.upstreamConnectTimeout): return .timeout
    case .gateway(.upstreamConnectFailed): return .connectFailed
    case .gateway(.resourcesExhausted): return nil
    case .gateway(.upstreamMalformed), .gateway(.upstreamHeadTooLarge): return .malformed
    default: return .closed
    }
    let rules = check.rules
    if rules.kind == .grpc {
      if status != 200 { return .status }
      return finished.answer.grpcStatus == 0 && Self.isServing(body) ? .passed : .notServing
    }
    guard rules.statuses.contains(where: { $0.contains(status) }) else { return .status }
    guard let expected = rules.body else { return .passed }
    return body.contains(Array(expected.utf8)) ? .passed : .body
  }

  // MARK: grpc.health.v1

  /// A HealthCheckRequest as a message of gRPC: one byte for no compression, four for the length, then field 1, a
  /// string.
  static func message(service: String) -> [UInt8] {
    var request: [UInt8] = []
    if !service.isEmpty {
      let count = service.utf8.count
      request =
        [0x0A] + (count < 128 ? [UInt8(count)] : [UInt8(count & 0x7F | 0x80), UInt8(truncatingIfNeeded: count >> 7)])
      request += Array(service.utf8)
    }
    let count = request.count
    return [0, 0, 0, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)] + request
  }

  /// Whether a HealthCheckResponse says SERVING: field 1, an enumeration, is 1, and there is nothing else.
  static func isServing(_ message: [UInt8]) -> Bool { message == [0, 0, 0, 0, 2, 0x08, 0x01] }
}
