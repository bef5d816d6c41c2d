// One socket: a NIO channel on one side, a connection of the data plane on the other. It hands events in and carries
// commands out, and decides nothing. What comes before a client's connection stands in Socket+Opening.swift.

import Bytes
import NIOCore
import NIOPosix
import Proxy
import TLS

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The only handler of its channel. Bound to the channel's loop, as everything here is.
final class Socket: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  let loop: WorkerLoop
  private(set) var connection: Connection?
  /// Set while a client is on its way to being a connection.
  var opening: Opening?
  var secure: SecureLayer?
  private var channel: (any Channel)?
  private var writer: SocketWriter?
  /// NIO holds bytes of ours that the kernel did not take yet; nothing may be written past them.
  private var isWriting = false
  private var pendingClose: CloseMode?
  private let onAccept: ((any Channel) throws -> Opening)?

  /// Larger pieces of bodies are passed on at once: they would only pile up.
  private static let batchedByteCountMax = 16 * 1024

  /// LIMIT: so much is handed to NIO at a time when the kernel's buffer is full; progress is seen in steps of it.
  private static let sliceByteCount = 32 * 1024

  /// A socket whose connection exists already: one to an upstream.
  init(loop: WorkerLoop, connection: Connection, secure: SecureLayer?) {
    self.loop = loop
    self.connection = connection
    self.secure = secure
    onAccept = nil
  }

  /// A socket that was accepted; its connection is made when all that comes before it is through.
  init(loop: WorkerLoop, onAccept: @escaping (any Channel) throws -> Opening) {
    self.loop = loop
    self.onAccept = onAccept
  }

  func attach(_ connection: Connection) {
    self.connection = connection
    loop.attach(self, to: connection)
  }

  func forgetConnection() { connection = nil }

  // MARK: Events

  func channelActive(context: ChannelHandlerContext) {
    channel = context.channel
    writer = SocketWriter(context.channel)
    if let onAccept {
      accept(context.channel, onAccept)
    } else if secure != nil {
      beginHandshake()
    } else if let upstream = connection as? UpstreamConnection {
      loop.worker.connected(upstream, at: loop.now())
      loop.runCommands()
    }
  }

  private func accept(_ channel: any Channel, _ onAccept: (any Channel) throws -> Opening) {
    do {
      let opening = try onAccept(channel)
      self.opening = opening
      if let context = opening.context { secure = try SecureLayer(server: context) }
    } catch {
      opening = nil
      if let error = error as? TLSError { loop.worker.counters.countHandshake(error.result.rawValue) }
      return abort()
    }
    loop.opening(self)
    if opening?.isHeaderDue == false, secure == nil { becomeConnection(security: nil) }
    loop.updateAccepting()
    loop.runCommands()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if opening?.isRefused == true { return }
    let buffer = unwrapInboundIn(data)
    let bytes = buffer.readableBytesUInt8Span
    if opening == nil, secure == nil {
      deliver(bytes)
    } else {
      guard let start = readHeader(bytes) else { return loop.runCommandsSoon() }
      let rest = bytes.extracting(start..<bytes.count)
      if secure == nil { deliver(rest) } else { decrypt(rest) }
    }
    if buffer.readableBytes < Self.batchedByteCountMax { loop.runCommandsSoon() } else { loop.runCommands() }
  }

  private func deliver(_ bytes: Span<UInt8>) {
    guard let connection, bytes.count > 0 else { return }
    loop.worker.received(bytes, on: connection, at: loop.now())
    if let successor = connection.successor { self.connection = successor }
  }

  private func decrypt(_ ciphertext: Span<UInt8>) {
    guard let secure else { return }
    let wasEstablished = secure.session.isEstablished
    var plaintext = loop.takePlaintext()
    var outcome = secure.session.receive(ciphertext, into: &plaintext, max: SecureLayer.ciphertextHighWater)
    if secure.session.isEstablished, !wasEstablished { handshakeCompleted() }
    // Nothing may be left in the session: no event would come for it.
    while true {
      deliver(plaintext.span)
      plaintext.removeAll()
      guard case .more = outcome else { break }
      outcome = secure.session.read(into: &plaintext, max: SecureLayer.ciphertextHighWater)
    }
    loop.giveBackPlaintext(&plaintext)
    if secure.session.ciphertext.count > 0 { flush() }
    keepResumption()
    switch outcome {
    case .failed(let error): sessionFailed(error)
    case .closed: if let connection { loop.worker.receivedEnd(on: connection, at: loop.now()) } else { abort() }
    case .complete, .incomplete, .more: break
    }
  }

  /// Servers send what a session can be resumed with when they like, mostly behind the handshake.
  private func keepResumption() {
    guard let secure, let key = secure.resumptionKey, let resumption = secure.session.takeResumption() else { return }
    loop.resumptions[key] = resumption
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case ChannelEvent.inputClosed? = event as? ChannelEvent else { return }
    guard let connection else { return abort() }
    if let secure, !secure.session.isClosedByPeer, connection is UpstreamConnection {
      // RFC 8446 §6.1: without a word that it is whole, what came may have been cut off by anybody.
      return abort()
    }
    loop.worker.receivedEnd(on: connection, at: loop.now())
    loop.runCommands()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    writer = nil
    channel = nil
    if opening != nil { endOpening(.closed) }
    guard let connection else { return }
    self.connection = nil
    loop.detach(connection)
    if let upstream = connection as? UpstreamConnection, let secure, !secure.session.isEstablished {
      loop.reportUpstreamHandshake(upstream, "the connection was closed during the handshake")
      loop.worker.connectFailed(upstream, at: loop.now())
    } else {
      loop.worker.disconnected(connection, at: loop.now())
    }
    loop.updateAccepting()
    loop.runCommands()
  }

  // MARK: Commands

  func flush() {
    connection?.isFlushQueued = false
    if isWriting { return }
    guard let writer else { return }
    while true {
      let outcome: WriteOutcome
      if let secure {
        if let connection, secure.session.isEstablished, !secure.encrypt(connection) { return abort() }
        if secure.session.ciphertext.count == 0 { break }
        outcome = secure.send(to: writer)
      } else {
        guard let connection else { return }
        connection.fillOutput()
        if connection.output.isEmpty { break }
        outcome = writer.write(connection.output.span)
      }
      switch outcome {
      case .wrote(let count): wrote(count)
      case .wouldBlock: return handOver()
      case .failed:
        // An upstream may have answered before it closed: that is read first. Then the channel reports its end.
        if connection is UpstreamConnection { return }
        return abort()
      }
    }
    outputIsEmpty()
  }

  private func wrote(_ count: Int) {
    if secure == nil { connection?.output.removeFirst(count) }
    connection?.bytesWritten &+= UInt64(count)
  }

  /// Lets NIO wait until the kernel takes more.
  private func handOver() {
    guard let channel else { return }
    guard
      let slice = secure?.takeSlice(channel.allocator)
        ?? connection.map({ Self.takeSlice(of: $0, channel.allocator) })
    else { return }
    let count = slice.readableBytes
    let connection = connection
    connection?.bytesInTransport = count
    isWriting = true
    channel.writeAndFlush(slice).assumeIsolated().whenComplete { result in
      self.isWriting = false
      connection?.bytesInTransport = 0
      guard case .success = result else { return }
      connection?.bytesWritten &+= UInt64(count)
      self.flush()
      self.loop.runCommands()
    }
  }

  private static func takeSlice(of connection: Connection, _ allocator: ByteBufferAllocator) -> ByteBuffer {
    let count = min(connection.output.count, Self.sliceByteCount)
    let slice = SocketWriter.copy(connection.output.span.extracting(0..<count), allocator: allocator)
    connection.output.removeFirst(count)
    return slice
  }

  /// One attempt, for a last word.
  func writeOnce(_ bytes: [UInt8]) { _ = writer?.write(bytes.span) }

  func closeOutput() { channel?.close(mode: .output, promise: nil) }

  private func outputIsEmpty() {
    guard let connection else { return }
    // An idle connection keeps no memory for answers that it does not write.
    if connection.output.allocatedByteCount > 4096 { connection.output.releaseStorage() }
    if connection.isDrainAwaited { loop.noteDrained(connection) }
    if let mode = pendingClose {
      pendingClose = nil
      closeNow(mode)
    }
  }

  func close(_ mode: CloseMode) {
    guard let connection, channel != nil else { return abort() }
    if connection.output.isEmpty, !isWriting, secure == nil {
      closeNow(mode)
    } else {
      pendingClose = mode
      flush()
    }
  }

  private func closeNow(_ mode: CloseMode) {
    if let secure {
      secure.session.close()
      // Where the kernel has no room for these few bytes, nobody reads them.
      if let writer { _ = secure.send(to: writer) }
    }
    channel?.close(mode: mode, promise: nil)
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
