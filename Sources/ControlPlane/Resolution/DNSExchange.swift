// One question to one server and its answer, over UDP or TCP. Each has a socket of its own, whose port the kernel
// picks: so that a forger who does not see the question has to guess port and id.

import Configuration
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The network as names are resolved over it.
struct DNSExchange: Sendable {
  let group: any EventLoopGroup
  let timeout: TimeAmount

  /// The first datagram that `isWanted`. Others are passed over. Nil when none came in time.
  func askByDatagram(
    _ query: [UInt8], _ server: Address, isWanted: @escaping @Sendable ([UInt8]) -> Bool
  ) async -> [UInt8]? {
    guard let target = try? SocketAddress(ipAddress: server.host, port: Int(server.port)) else { return nil }
    let loop = group.next()
    let answer = loop.makePromise(of: [UInt8].self)
    let bootstrap = DatagramBootstrap(group: loop).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(DatagramHandler(answer: answer, isWanted: isWanted))
      }
    }
    return await end(loop, answer, bootstrap.connect(to: target)) { channel in
      // Connected: the kernel takes datagrams of this server alone.
      channel.writeAndFlush(
        AddressedEnvelope(remoteAddress: target, data: channel.allocator.buffer(bytes: query)), promise: nil)
    }
  }

  /// The one message that answers, whatever it is.
  func askByStream(_ query: [UInt8], _ server: Address) async -> [UInt8]? {
    guard let target = try? SocketAddress(ipAddress: server.host, port: Int(server.port)) else { return nil }
    let loop = group.next()
    let answer = loop.makePromise(of: [UInt8].self)
    let bootstrap = ClientBootstrap(group: loop).connectTimeout(timeout).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(StreamHandler(answer: answer))
      }
    }
    return await end(loop, answer, bootstrap.connect(to: target)) { channel in
      // RFC 1035 §4.2.2: the length goes in front.
      let framed = [UInt8(truncatingIfNeeded: query.count >> 8), UInt8(truncatingIfNeeded: query.count)] + query
      channel.writeAndFlush(channel.allocator.buffer(bytes: framed), promise: nil)
    }
  }

  private func end(
    _ loop: any EventLoop, _ answer: EventLoopPromise<[UInt8]>, _ connected: EventLoopFuture<any Channel>,
    _ ask: @escaping @Sendable (any Channel) -> Void
  ) async -> [UInt8]? {
    let timer = loop.scheduleTask(in: timeout) { answer.fail(ChannelError.connectTimeout(timeout)) }
    connected.whenSuccess(ask)
    connected.whenFailure { answer.fail($0) }
    let result = try? await answer.futureResult.get()
    timer.cancel()
    connected.whenSuccess { $0.close(promise: nil) }
    return result
  }

  /// Whether this machine has a way to the address: a datagram socket that is connected says so and sends nothing.
  func isReachable(_ address: String) async -> Bool {
    guard let target = try? SocketAddress(ipAddress: address, port: 53),
      let channel = try? await DatagramBootstrap(group: group).connect(to: target).get()
    else { return false }
    channel.close(promise: nil)
    return true
  }
}

private final class DatagramHandler: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  private let answer: EventLoopPromise<[UInt8]>
  private let isWanted: @Sendable ([UInt8]) -> Bool

  init(answer: EventLoopPromise<[UInt8]>, isWanted: @escaping @Sendable ([UInt8]) -> Bool) {
    self.answer = answer
    self.isWanted = isWanted
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = Array(unwrapInboundIn(data).data.readableBytesView)
    if isWanted(bytes) { answer.succeed(bytes) }
  }

  /// Such as a port that nobody listens on.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    answer.fail(error)
    context.close(promise: nil)
  }
}

private final class StreamHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let answer: EventLoopPromise<[UInt8]>
  private var received: [UInt8] = []

  init(answer: EventLoopPromise<[UInt8]>) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    // LIMIT: what the two bytes of the length can say, and one read more.
    received += unwrapInboundIn(data).readableBytesView
    guard received.count >= 2 else { return }
    let count = Int(received[0]) << 8 | Int(received[1])
    if received.count >= count + 2 {
      answer.succeed(Array(received[2..<(count + 2)]))
      context.close(promise: nil)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { answer.fail(ChannelError.eof) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    answer.fail(error)
    context.close(promise: nil)
  }
}
