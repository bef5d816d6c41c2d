// What a listener does to requests that came by it: which routes they may match, whether they are redirected to HTTPS,
// and what their answers say about it.

import Bytes
import Configuration
import HTTPWire

struct ListenerRules: Sendable {
  /// For ``RouteMatch/listenerBit``.
  var bit: UInt64 = 0
  /// Nil takes requests.
  var redirectPort: Int?
  /// Field lines of every answer.
  var fieldLines: [UInt8] = []

  /// Of the listener at an index in the configuration.
  static func bit(of index: Int) -> UInt64 { index < 64 ? 1 << UInt64(index) : 0 }
}

/// The rules of all listeners.
struct ListenerTable: Sendable {
  /// By id in the counters. One that is not in the file any more has none.
  private var rules: [ListenerRules] = []
  /// Whether any request must be looked at, and any answer.
  let changesRequests: Bool
  let changesAnswers: Bool

  init(_ configuration: GatewayConfiguration, _ names: CounterNames) {
    let listeners = configuration.listeners
    changesRequests =
      listeners.contains { $0.redirect != nil } || configuration.routes.contains { !$0.listeners.isEmpty }
    changesAnswers = Self.writesStrictTransport(configuration)
    guard changesRequests || changesAnswers else { return }
    rules = Array(repeating: ListenerRules(), count: names.listeners.count)
    for (index, listener) in listeners.enumerated() {
      let id = names.listenerID(index)
      guard rules.indices.contains(id) else { continue }
      rules[id].bit = ListenerRules.bit(of: index)
      rules[id].redirectPort = listener.redirect.map { $0.port ?? HTTPSRedirect.portDefault }
      if let strict = listener.tls?.strictTransport {
        rules[id].fieldLines = Array("\(Self.strictTransportName): \(strict.text)\r\n".utf8)
      }
    }
  }

  subscript(id: Int) -> ListenerRules { rules.indices.contains(id) ? rules[id] : ListenerRules() }

  static let strictTransportName = "Strict-Transport-Security"

  static func writesStrictTransport(_ configuration: GatewayConfiguration) -> Bool {
    configuration.listeners.contains { $0.tls?.strictTransport != nil }
  }
}

extension Exchange {
  /// Redirects the request where its listener does so. Nil lets it go on.
  func obeyListener() -> StageOutcome? {
    guard let downstream else { return nil }
    let rules = snapshot.listeners[downstream.client.listener]
    request.match.listenerBit = rules.bit
    // Behind a proxy that speaks TLS the redirect would lead back to it.
    guard let port = rules.redirectPort, !request.isForwardedSecure else { return nil }
    if request.target.isCertificateChallenge, case .route = request.matchRoute(in: snapshot) { return nil }
    return redirectToHTTPS(port)
  }

  private func redirectToHTTPS(_ port: Int) -> StageOutcome {
    // An HTTP/1.0 request may say no host.
    guard request.head.authority != nil else { return .refuse(.head(.hostMissing)) }
    if request.head.targetForm == .asterisk { return .refuse(.gateway(.routeNotFound)) }
    var line = ByteQueue()
    line.append("Location: https://")
    request.head.appendHost(to: &line)
    if port != HTTPSRedirect.portDefault {
      line.append(":")
      line.append(decimal: UInt64(port))
    }
    // As it was written: nothing is decided about the path here. The normal form exists, so no byte ends a line.
    request.head.appendPathAndQuery(to: &line)
    line.append("\r\n")
    return .answer(GatewayAnswer(status: 308, fieldLines: line.copied()))
  }

  /// The lines of the client's listener, for every final head.
  func writeListenerLines<Sink: HeadSink & ~Copyable>(to sink: inout Sink) {
    if snapshot.listeners.changesAnswers, let downstream {
      sink.append(lines: snapshot.listeners[downstream.client.listener].fieldLines)
    }
  }
}

extension RequestHead {
  fileprivate func appendPathAndQuery(to line: inout ByteQueue) {
    let text = bytes.span.extracting(pathAndQueryRange)
    if text.isEmpty || text[0] != 0x2F { line.append("/") }
    line.append(text)
  }
}

extension NormalTarget {
  private static let challenge = Array("/.well-known/acme-challenge/".utf8)

  /// Whether an authority asks over HTTP for the proof of a certificate's name (RFC 8555 §8.3).
  fileprivate var isCertificateChallenge: Bool {
    let count = Self.challenge.count
    return pathCount > count && bytes.span.extracting(0..<count).equals(Self.challenge.span)
  }
}
