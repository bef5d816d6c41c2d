// TLS under a stream of the harness: scripts and clients speak in plaintext, and see how the other side ended.

import Bytes
import NIOCore
package import TLS

/// Either side of a TLS connection. An end without close_notify reaches the stream as a reset, so that no test takes
/// what was cut off for whole.
final class SecureHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// From now on the connection ends without close_notify.
  struct Cut: Sendable {}

  private(set) var session: TLSSession
  private var waiting: [(ByteBuffer, EventLoopPromise<Void>?)] = []
  private var isCut = false
  private var isClosed = false
  private let preamble: [UInt8]

  init(server context: ServerContext) throws {
    session = try TLSSession(server: context)
    preamble = []
  }

  init(client context: ClientContext, host: String, preamble: [UInt8]) throws {
    session = try TLSSession(client: context, host: host)
    self.preamble = preamble
  }

  func channelActive(context: ChannelHandlerContext) {
    if !preamble.isEmpty { context.write(wrapOutboundOut(ByteBuffer(bytes: preamble)), promise: nil) }
    _ = session.handshake()
    send(context)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var plaintext = ByteQueue()
    let ciphertext = unwrapInboundIn(data)
    let outcome = session.receive(ciphertext.readableBytesUInt8Span, into: &plaintext, max: .max)
    if !plaintext.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: plaintext.copied()))) }
    if session.isEstablished {
      let written = waiting
      waiting = []
      for (buffer, promise) in written { write(context: context, data: NIOAny(buffer), promise: promise) }
    }
    send(context)
    switch outcome {
    case .closed: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    case .failed(let error):
      context.fireErrorCaught(error)
      context.close(promise: nil)
    default: break
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent, !session.isClosedByPeer {
      context.fireErrorCaught(StreamFailure.malformed("the stream ended without close_notify"))
    }
    context.fireUserInboundEventTriggered(event)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let buffer = unwrapOutboundIn(data)
    guard session.isEstablished else { return waiting.append((buffer, promise)) }
    _ = session.write(buffer.readableBytesUInt8Span)
    session.writeHeldTicket()
    send(context, promise)
  }

  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    if event is Cut { isCut = true }
    promise?.succeed(())
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if !isCut, !isClosed {
      session.close()
      send(context)
    }
    isClosed = true
    context.close(mode: mode, promise: promise)
  }

  private func send(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>? = nil) {
    let bytes = session.ciphertext.copied()
    session.removeCiphertext(bytes.count)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: promise)
  }
}

extension ByteStream {
  /// What the handshake came to.
  package func securityFacts() async throws -> TLSFacts {
    try await onHandler { $0.session.facts() }
  }

  /// Whom the client has proved to be.
  package func clientCertificate() async throws -> ClientCertificate? {
    try await onHandler { $0.session.clientCertificate() }
  }

  /// Ends the connection without close_notify, but with all that was sent.
  package func cut() async throws {
    try await channel.triggerUserOutboundEvent(SecureHandler.Cut()).get()
    try? await channel.close().get()
  }

  private func onHandler<Result: Sendable>(_ ask: @escaping @Sendable (SecureHandler) -> Result) async throws -> Result
  {
    let channel = channel
    return try await channel.eventLoop.submit {
      ask(try channel.pipeline.syncOperations.handler(type: SecureHandler.self))
    }.get()
  }
}
