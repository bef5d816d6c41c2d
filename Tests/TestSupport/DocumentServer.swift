// A small web server for tests, whose answers are laid down path by path and whose visitors are counted: the place
// where an issuer's documents come from, or fail to.

import NIOCore
import NIOPosix

/// What a path answers.
package enum DocumentAnswer: Sendable {
  case respond(status: Int, fields: [(String, String)], body: [UInt8])
  /// These bytes, then the end of the connection.
  case bytes([UInt8])
  /// The end of the connection without a word.
  case close
  /// Nothing, for as long as the connection lives.
  case hang

  package static func json(_ text: String, fields: [(String, String)] = []) -> DocumentAnswer {
    .respond(status: 200, fields: [("Content-Type", "application/json")] + fields, body: Array(text.utf8))
  }

  package static func status(_ status: Int, fields: [(String, String)] = [], _ body: String = "") -> DocumentAnswer {
    .respond(status: status, fields: fields, body: Array(body.utf8))
  }

  /// A message complete with its end, or nil when there is nothing to say.
  fileprivate var message: [UInt8]? {
    switch self {
    case .respond(let status, let fields, let body):
      var head = "HTTP/1.1 \(status) Test\r\nContent-Length: \(body.count)\r\nConnection: close\r\n"
      for (name, value) in fields { head += "\(name): \(value)\r\n" }
      return Array((head + "\r\n").utf8) + body
    case .bytes(let bytes): return bytes
    case .close: return []
    case .hang: return nil
    }
  }
}

/// Serves on loopback until it is released. One request a connection.
package final class DocumentServer: Sendable {
  private struct State: Sendable {
    var answers: [String: DocumentAnswer] = [:]
    var overall: DocumentAnswer?
    var targets: [String] = []
  }

  package let port: Int
  private let listener: any Channel
  private let state: Monitor<State>

  private init(port: Int, listener: any Channel, state: Monitor<State>) {
    self.port = port
    self.listener = listener
    self.state = state
  }

  deinit {
    putAll(.close)
    ServerPorts.release(port, listener)
  }

  package static func start() async throws -> DocumentServer {
    let state = Monitor(State()) { "requests for \($0.targets)" }
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 256)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Visitor { Self.answer($0, state) })
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return DocumentServer(port: listener.localAddress?.port ?? 0, listener: listener, state: state)
  }

  /// What a target answers from now on. One that was never laid down answers 404.
  package func put(_ target: String, _ answer: DocumentAnswer) { state.update { $0.answers[target] = answer } }

  /// One answer for everything: the server is down. nil: back to what was laid down.
  package func putAll(_ answer: DocumentAnswer?) { state.update { $0.overall = answer } }

  /// How often a target was asked for.
  package func count(of target: String) -> Int { state.current.targets.count { $0 == target } }

  /// Every target that was asked for, in order.
  package var targets: [String] { state.current.targets }

  /// Returns once a target was asked for so often.
  package func waitForCount(of target: String, atLeast count: Int) async throws {
    try await state.wait(for: "\(count) requests for \(target)") { state in
      state.targets.count { $0 == target } >= count ? () : nil
    }
  }

  private static func answer(_ target: String, _ state: Monitor<State>) -> [UInt8]? {
    state.update { state in
      state.targets.append(target)
      return (state.overall ?? state.answers[target] ?? .status(404)).message
    }
  }

  /// One connection: a head in, an answer out.
  private final class Visitor: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: (String) -> [UInt8]?
    private var head = ByteBuffer()
    private var isAnswered = false

    init(answer: @escaping (String) -> [UInt8]?) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      var bytes = unwrapInboundIn(data)
      head.writeBuffer(&bytes)
      guard !isAnswered, head.readableBytesView.suffix(4).elementsEqual("\r\n\r\n".utf8) else { return }
      isAnswered = true
      let words = String(decoding: head.readableBytesView, as: UTF8.self).split(separator: " ", maxSplits: 2)
      guard let message = answer(words.count > 1 ? String(words[1]) : "") else { return }
      let channel = context.channel
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: message))).whenComplete { _ in
        channel.close(promise: nil)
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
