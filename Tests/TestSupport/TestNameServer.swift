// A DNS server on loopback that says what a test requires, honest or not, over UDP and TCP on one port.

import NIOCore
import NIOPosix

package final class TestNameServer: Sendable {
  package struct Query: Sendable {
    package let bytes: [UInt8]
    package let isStream: Bool
    package var isIPv6: Bool { bytes.count > 4 && bytes[bytes.count - 3] == 28 }

    /// The answer with these addresses, each with this time to live.
    package func answer(_ addresses: [[UInt8]], seconds: UInt8 = 0, flags: [UInt8] = [0x81, 0x80]) -> [UInt8] {
      var message = Array(bytes[..<2]) + flags + [0, 1, 0, UInt8(addresses.count), 0, 0, 0, 0]
      message += bytes[12...]
      for address in addresses {
        message += [0xC0, 12]
        message += bytes[(bytes.count - 4)...(bytes.count - 3)]
        message += [0, 1, 0, 0, 0, seconds, 0, UInt8(address.count)]
        message += address
      }
      return message
    }
  }

  /// What is said to a query. Nothing where it is not answered.
  package typealias Script = @Sendable (Query) -> [UInt8]?

  private struct State: Sendable {
    var script: Script
    var count = 0
  }

  package let port: Int
  package var address: String { "127.0.0.1:\(port)" }
  private let channels: [any Channel]
  private let state: Monitor<State>

  private init(_ channels: [any Channel], port: Int, _ state: Monitor<State>) {
    self.channels = channels
    self.port = port
    self.state = state
  }

  deinit {
    for channel in channels { channel.close(promise: nil) }
  }

  package static func start(_ script: @escaping Script) async throws -> TestNameServer {
    let state = Monitor(State(script: script)) { "\($0.count) queries" }
    let group = MultiThreadedEventLoopGroup.singleton
    // The port that one of them gets may be taken for the other.
    for _ in 0..<8 {
      if let server = try? await start(on: group, state) { return server }
    }
    return try await start(on: group, state)
  }

  private static func start(
    on group: MultiThreadedEventLoopGroup, _ state: Monitor<State>
  ) async throws -> TestNameServer {
    let stream = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Streams(state)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = stream.localAddress?.port ?? 0
    let datagrams = try await DatagramBootstrap(group: group)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Datagrams(state)) }
      }
      .bind(host: "127.0.0.1", port: port).get()
    return TestNameServer([stream, datagrams], port: port, state)
  }

  /// From now on something else is said.
  package func say(_ script: @escaping Script) { state.update { $0.script = script } }

  /// So many queries more have come.
  package func waitForQueries(_ count: Int) async throws {
    let before = state.current.count
    _ = try await state.wait(for: "\(count) queries more") { $0.count >= before + count ? $0.count : nil }
  }

  private static func answer(_ query: Query, _ state: Monitor<State>) -> [UInt8]? {
    state.update { $0.count += 1 }
    return state.current.script(query)
  }

  private final class Datagrams: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>
    private let state: Monitor<State>

    init(_ state: Monitor<State>) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let envelope = unwrapInboundIn(data)
      let query = Query(bytes: Array(envelope.data.readableBytesView), isStream: false)
      guard let answer = TestNameServer.answer(query, state) else { return }
      let buffer = context.channel.allocator.buffer(bytes: answer)
      context.writeAndFlush(
        wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: buffer)), promise: nil)
    }
  }

  private final class Streams: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let state: Monitor<State>
    private var received: [UInt8] = []

    init(_ state: Monitor<State>) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      received += unwrapInboundIn(data).readableBytesView
      guard received.count > 2, received.count == Int(received[0]) << 8 + Int(received[1]) + 2,
        let answer = TestNameServer.answer(Query(bytes: Array(received[2...]), isStream: true), state)
      else { return }
      let framed = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
      context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: framed)), promise: nil)
    }
  }
}
