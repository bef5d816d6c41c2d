// A server for tests that sends exactly the given bytes, then closes or waits: for answers that no proper server would
// give.

import NIOCore
import NIOPosix

/// Answers the first bytes of every connection with the same bytes.
final class RawServer: Sendable {
  enum End: Sendable {
    case close
    case keepOpen
  }

  let port: Int
  private let listener: any Channel

  private init(port: Int, listener: any Channel) {
    self.port = port
    self.listener = listener
  }

  static func start(_ answer: String, then end: End) async throws -> RawServer {
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Speaker(answer: answer, end: end))
        }
      }
    let listener = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
    return RawServer(port: listener.localAddress?.port ?? 0, listener: listener)
  }

  func stop() async { try? await listener.close() }

  private final class Speaker: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: String
    private let end: End
    private var hasSpoken = false

    init(answer: String, end: End) {
      self.answer = answer
      self.end = end
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard !hasSpoken else { return }
      hasSpoken = true
      let channel = context.channel
      let written = context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)))
      if case .close = end { written.whenComplete { _ in channel.close(promise: nil) } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
