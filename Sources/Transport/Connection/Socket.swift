// One socket: a NIO channel on one side, a connection of the data plane on the other. It hands events in and carries
// commands out, and decides nothing.

import Bytes
import NIOCore
import NIOPosix
import Proxy

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The only handler of its channel. Bound to the channel's loop, as everything here is.
final class Socket: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let loop: WorkerLoop
  private(set) var connection: Connection?
  private var channel: (any Channel)?
  private var writer: SocketWriter?
  /// NIO holds bytes of ours that the kernel did not take yet; nothing may be written past them.
  private var isWriting = false
  private var pendingClose: CloseMode?
  private let onAccept: ((any Channel) -> Connection)?

  /// Larger pieces of bodies are passed on at once: they would only pile up.
  private static let batchedByteCountMax = 16 * 1024

  /// LIMIT: so much is handed to NIO at a time when the kernel's buffer is full; progress is seen in steps of it.
  private static let sliceByteCount = 32 * 1024

  /// A socket whose connection exists already: one to an upstream.
  init(loop: WorkerLoop, connection: Connection) {
    self.loop = loop
    self.connection = connection
    onAccept = nil
  }

  /// A socket that was accepted; its connection is made when the channel is active.
  init(loop: WorkerLoop, onAccept: @escaping (any Channel) -> Connection) {
    self.loop = loop
    self.onAccept = onAccept
  }

  // MARK: Events

  func channelActive(context: ChannelHandlerContext) {
    channel = context.channel
    writer = SocketWriter(context.channel)
    if let onAccept {
      let connection = onAccept(context.channel)
      self.connection = connection
      loop.attach(self, to: connection)
    } else if let upstream = connection as? UpstreamConnection {
      loop.worker.connected(upstream, at: loop.now())
      loop.runCommands()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let connection else { return }
    let buffer = unwrapInboundIn(data)
    loop.worker.received(buffer.readableBytesUInt8Span, on: connection, at: loop.now())
    if let successor = connection.successor { self.connection = successor }
    if buffer.readableBytes < Self.batchedByteCountMax { loop.runCommandsSoon() } else { loop.runCommands() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case ChannelEvent.inputClosed? = event as? ChannelEvent, let connection else { return }
    loop.worker.receivedEnd(on: connection, at: loop.now())
    loop.runCommands()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    writer = nil
    channel = nil
    guard let connection else { return }
    self.connection = nil
    loop.detach(connection)
    loop.worker.disconnected(connection, at: loop.now())
    loop.updateAccepting()
    loop.runCommands()
  }

  // MARK: Commands

  func flush() {
    guard let connection else { return }
    connection.isFlushQueued = false
    if isWriting { return }
    guard let writer else { return }
    while !connection.output.isEmpty {
      switch writer.write(connection.output.span) {
      case .wrote(let count):
        connection.output.removeFirst(count)
        connection.bytesWritten &+= UInt64(count)
      case .wouldBlock:
        return handOver(connection)
      case .failed:
        // An upstream may have answered before it closed: that is read first. Then the channel reports its end.
        if connection is UpstreamConnection { return }
        return abort()
      }
    }
    outputIsEmpty(connection)
  }

  /// Lets NIO wait until the kernel takes more.
  private func handOver(_ connection: Connection) {
    guard let channel else { return }
    let count = min(connection.output.count, Self.sliceByteCount)
    let slice = SocketWriter.copy(connection.output.span.extracting(0..<count), allocator: channel.allocator)
    connection.output.removeFirst(count)
    connection.bytesInTransport = count
    isWriting = true
    channel.writeAndFlush(slice).assumeIsolated().whenComplete { result in
      self.isWriting = false
      connection.bytesInTransport = 0
      guard case .success = result else { return }
      connection.bytesWritten &+= UInt64(count)
      self.flush()
      self.loop.runCommands()
    }
  }

  private func outputIsEmpty(_ connection: Connection) {
    // An idle connection keeps no memory for answers that it does not write.
    if connection.output.allocatedByteCount > 4096 { connection.output.releaseStorage() }
    if connection.isDrainAwaited { loop.noteDrained(connection) }
    if let mode = pendingClose {
      pendingClose = nil
      channel?.close(mode: mode, promise: nil)
    }
  }

  func close(_ mode: CloseMode) {
    guard let connection, let channel else { return abort() }
    if connection.output.isEmpty, !isWriting {
      channel.close(mode: mode, promise: nil)
    } else {
      pendingClose = mode
      flush()
    }
  }

  func abort() {
    if let channel {
      if connection?.isResetWanted == true, let options = channel as? any SocketOptionProvider {
        // On the channel's own loop this is done before the call returns.
        _ = options.setSoLinger(linger(l_onoff: 1, l_linger: 0))
      }
      channel.close(promise: nil)
    } else if let connection {
      // Still connecting: the channel is closed as soon as it is there.
      self.connection = nil
      loop.detach(connection)
      loop.noteAborted(connection)
    }
  }

  func setReading(_ isOn: Bool) {
    try? channel?.syncOptions?.setOption(.autoRead, value: isOn)
  }
}
