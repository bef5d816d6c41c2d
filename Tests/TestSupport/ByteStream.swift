// One TCP connection as tests use it: bytes out, bytes in, its end. Neither interprets nor repairs anything.

import NIOCore
import NIOPosix
package import TLS

/// What went wrong with a stream, as opposed to what was late.
package enum StreamFailure: Error, Sendable {
  /// The peer ended the stream before what was waited for. The bytes that had come.
  case ended(awaited: String, [UInt8])
  case reset(awaited: String)
  case unexpectedBytes([UInt8])
  case malformed(String)
}

/// A connected socket. Closed when the object goes.
package final class ByteStream: Sendable {
  struct Inbox: Sendable {
    var bytes: [UInt8] = []
    var start = 0
    /// The peer will send no more.
    var isEnded = false
    /// The socket is gone.
    var isClosed = false
    var isReset = false
    /// Bytes that came, taken or not.
    var receivedByteCount = 0
    /// Bytes that the kernel took from us.
    var sentByteCount = 0
    var sendFailure: String?
    /// From here on bytes are counted and not kept.
    var isDiscarding = false
    /// The first bytes that came, as they were.
    var record: [UInt8] = []

    var count: Int { bytes.count - start }
    var unread: ArraySlice<UInt8> { bytes[start...] }

    mutating func take(_ count: Int) -> [UInt8] {
      let taken = Array(bytes[start..<(start + count)])
      start += count
      if start == bytes.count {
        bytes.removeAll()
        start = 0
      } else if start > 1 << 20 {
        bytes.removeFirst(start)
        start = 0
      }
      return taken
    }
  }

  let channel: any Channel
  let inbox: Monitor<Inbox>
  private static let recordByteCountMax = 256 * 1024

  init(channel: any Channel, inbox: Monitor<Inbox>) {
    self.channel = channel
    self.inbox = inbox
  }

  deinit { channel.close(promise: nil) }

  static func makeInbox() -> Monitor<Inbox> {
    Monitor(Inbox()) { inbox in
      let tail = latin1(inbox.unread.suffix(300))
      let end = inbox.isReset ? ", reset" : inbox.isEnded ? ", ended" : ""
      return "\(inbox.receivedByteCount) bytes in, \(inbox.sentByteCount) out\(end), unread: \(tail.debugDescription)"
    }
  }

  /// - Parameters:
  ///   - isReading: false leaves what comes in the kernel's buffers until ``startReading()``.
  ///   - receiveBufferByteCount: the kernel's receive buffer, to keep it small.
  ///   - secure: speaks TLS, to a server of the name `serverName`.
  ///   - preamble: sent in the clear before TLS begins.
  ///   - path: of a Unix socket, instead of host and port.
  package static func connect(
    port: Int, host: String = "127.0.0.1", path: String? = nil, isReading: Bool = true,
    receiveBufferByteCount: Int? = nil, preamble: [UInt8] = [], secure: ClientContext? = nil,
    serverName: String = "localhost"
  ) async throws -> ByteStream {
    let inbox = makeInbox()
    var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.autoRead, value: isReading)
      .connectTimeout(TimeAmount(Deadline.standard))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let secure {
            try channel.pipeline.syncOperations.addHandler(
              SecureHandler(client: secure, host: serverName, preamble: preamble))
          }
          try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox))
        }
      }
    if path == nil { bootstrap = bootstrap.channelOption(.socketOption(.tcp_nodelay), value: 1) }
    if let receiveBufferByteCount {
      bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBufferByteCount))
    }
    let channel =
      if let path {
        try await bootstrap.connect(unixDomainSocketPath: path).get()
      } else {
        try await bootstrap.connect(host: host, port: port).get()
      }
    return ByteStream(channel: channel, inbox: inbox)
  }

  /// The port at our end, which is the peer's port for the other.
  package var localPort: Int { channel.localAddress?.port ?? 0 }
  package var receivedByteCount: Int { inbox.current.receivedByteCount }
  package var sentByteCount: Int { inbox.current.sentByteCount }
  package var isReset: Bool { inbox.current.isReset }
  /// The peer will send no more, or is gone.
  package var isEnded: Bool { inbox.current.isEnded || inbox.current.isReset }
  /// The first bytes that came on this connection, taken or not, as they were. At most 256 KiB.
  package var record: [UInt8] { inbox.current.record }

  // MARK: Out

  /// Sends and waits until the kernel has all of it.
  package func send(_ bytes: [UInt8]) async throws {
    let target = sentByteCount + bytes.count
    startSending(bytes)
    try await waitUntilSent(target)
  }

  package func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  /// Sends without waiting. Failures show in the next wait only.
  package func startSending(_ bytes: [UInt8]) {
    let count = bytes.count
    channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { self.noteSent(count, $0) }
  }

  /// Sends `count` bytes without waiting, a slice at a time: ``sentByteCount`` shows how many the peer's side took.
  package func startSending(repeating byte: UInt8, count: Int) {
    let slice = ByteBuffer(repeating: byte, count: min(count, 256 * 1024))
    sendSlices(of: slice, left: count)
  }

  private func sendSlices(of slice: ByteBuffer, left: Int) {
    guard left > 0, let part = slice.getSlice(at: 0, length: min(left, slice.readableBytes)) else { return }
    channel.writeAndFlush(part).whenComplete { result in
      self.noteSent(part.readableBytes, result)
      guard case .success = result else { return }
      self.channel.eventLoop.execute { self.sendSlices(of: slice, left: left - part.readableBytes) }
    }
  }

  private func noteSent(_ count: Int, _ result: Result<Void, any Error>) {
    inbox.update { inbox in
      switch result {
      case .success: inbox.sentByteCount += count
      case .failure(let error): inbox.sendFailure = "\(error)"
      }
    }
  }

  package func waitUntilSent(_ total: Int, within limit: Duration = Deadline.standard) async throws {
    try await inbox.wait(for: "\(total) bytes to be taken", within: limit) { inbox in
      if inbox.sentByteCount >= total { return () }
      if inbox.sendFailure != nil { throw StreamFailure.reset(awaited: "\(total) bytes to be taken") }
      return nil
    }
  }

  /// Ends our half (FIN) and goes on reading.
  package func shutdownOutput() async throws { try await channel.close(mode: .output).get() }

  package func close() { channel.close(promise: nil) }

  /// Returns when the peer's system has all that was sent.
  package func waitUntilDelivered() async throws {
    try await poll("all bytes to be at the peer", pauseMilliseconds: 1) { try await unacknowledgedByteCount() == 0 }
  }

  private func unacknowledgedByteCount() async throws -> CInt {
    let channel = channel
    return try await channel.eventLoop.submit {
      // SAFETY: the descriptor is the channel's own, used on its loop. The call fills the integer.
      try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
        var count: CInt = 0
        _ = unsafe ioctl($0, UInt(TIOCOUTQ), &count)
        return count
      } ?? 0
    }.get()
  }

  /// Ends the connection with a reset (RST).
  package func reset() async throws {
    if let provider = channel as? any SocketOptionProvider {
      do {
        try await provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
      } catch {
        // The peer may have ended the connection first.
        if channel.isActive { throw error }
      }
    }
    try? await channel.close().get()
  }

  // MARK: In

  package func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }
  package func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

  /// Exactly `count` bytes.
  package func receive(_ count: Int) async throws -> [UInt8] {
    try await take("\(count) bytes") { $0.count >= count ? count : nil }
  }

  /// Whatever is there, at least one byte.
  package func receiveSome() async throws -> [UInt8] {
    try await take("any bytes") { $0.count > 0 ? $0.count : nil }
  }

  /// Up to and with `mark`.
  package func receive(through mark: String) async throws -> [UInt8] {
    let mark = Array(mark.utf8)
    return try await take(String(decoding: mark, as: UTF8.self).debugDescription) { inbox in
      inbox.unread.firstRange(of: mark).map { $0.upperBound - inbox.start }
    }
  }

  /// All that comes before the peer's end of the stream. A reset is a failure.
  package func receiveToEnd() async throws -> [UInt8] {
    try await inbox.wait(for: "the end of the stream") { inbox in
      if inbox.isReset { throw StreamFailure.reset(awaited: "the end of the stream") }
      return inbox.isEnded ? inbox.take(inbox.count) : nil
    }
  }

  /// The peer ends the stream, and nothing comes before that.
  package func expectClosed() async throws {
    let bytes = try await receiveToEnd()
    if !bytes.isEmpty { throw StreamFailure.unexpectedBytes(bytes) }
  }

  /// The connection is gone, in whatever way.
  package func waitUntilGone() async throws {
    try await inbox.wait(for: "the connection to be gone") { $0.isClosed || $0.isEnded ? () : nil }
  }

  /// Throws away what was and will be received. ``receivedByteCount`` goes on counting.
  package func discardInput() {
    inbox.update { inbox in
      inbox.isDiscarding = true
      _ = inbox.take(inbox.count)
    }
  }

  package func waitUntilReceived(_ total: Int, within limit: Duration = Deadline.standard) async throws {
    try await inbox.wait(for: "\(total) bytes in all", within: limit) { inbox in
      if inbox.receivedByteCount >= total { return () }
      if inbox.isEnded || inbox.isReset { throw StreamFailure.ended(awaited: "\(total) bytes in all", []) }
      return nil
    }
  }

  private func take(_ awaited: String, _ count: @Sendable (Inbox) -> Int?) async throws -> [UInt8] {
    try await inbox.wait(for: awaited) { inbox in
      if let count = count(inbox) { return inbox.take(count) }
      if inbox.isReset { throw StreamFailure.reset(awaited: awaited) }
      if inbox.isEnded { throw StreamFailure.ended(awaited: awaited, inbox.take(inbox.count)) }
      return nil
    }
  }

  /// Fills an inbox from its channel.
  final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let inbox: Monitor<Inbox>

    init(_ inbox: Monitor<Inbox>) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let buffer = unwrapInboundIn(data)
      inbox.update { inbox in
        inbox.receivedByteCount += buffer.readableBytes
        let room = ByteStream.recordByteCountMax - inbox.record.count
        if room > 0 { inbox.record += buffer.readableBytesView.prefix(room) }
        if !inbox.isDiscarding { inbox.bytes += buffer.readableBytesView }
      }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if case ChannelEvent.inputClosed? = event as? ChannelEvent { inbox.update { $0.isEnded = true } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      // A reset behind the end takes nothing away, and a test may look for the end only after both.
      inbox.update { inbox in if !inbox.isEnded { inbox.isReset = true } }
      context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
      inbox.update { inbox in
        inbox.isEnded = true
        inbox.isClosed = true
      }
    }
  }
}

/// Bytes as text, one character a byte: nothing is lost or repaired.
package func latin1(_ bytes: some Sequence<UInt8>) -> String {
  String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}
