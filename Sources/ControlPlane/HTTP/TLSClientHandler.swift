// Carries bytes between a channel and one TLS session. The session decides. This only moves what it says. Invariant:
// `channelActive` passes on only after the handshake, so nothing above writes before the peer is verified.

internal import Bytes
internal import NIOCore
internal import TLS

/// The TLS layer of one outgoing connection. Lives on its channel's loop.
final class TLSClientHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// LIMIT: plaintext that is passed on at once.
  private static let plaintextByteCountMax = 64 * 1024

  private var session: TLSSession
  private var isEstablished = false
  private var hasFailed = false
  private var bytes = ByteQueue()

  init(session: consuming TLSSession) { self.session = session }

  func channelActive(context: ChannelHandlerContext) { advanced(context, session.handshake()) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !hasFailed else { return }
    let ciphertext = unwrapInboundIn(data)
    bytes.removeAll()
    advanced(
      context,
      session.receive(ciphertext.readableBytesUInt8Span, into: &bytes, max: Self.plaintextByteCountMax))
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let plaintext = unwrapOutboundIn(data)
    let outcome = session.write(plaintext.readableBytesUInt8Span)
    send(context, promise: promise)
    if case .failed(let error) = outcome { fail(context, error) }
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if isEstablished && !hasFailed {
      session.close()
      send(context, promise: nil)
      context.flush()
    }
    context.close(mode: mode, promise: promise)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if !isEstablished {
      fail(context, .connectionClosed)
    } else if !session.isClosedByPeer {
      // A body that ends with the connection may have been cut off by anyone on the way (RFC 8446 §6.1).
      context.fireErrorCaught(FetchError.truncated)
    }
    context.fireChannelInactive()
  }

  private func advanced(_ context: ChannelHandlerContext, _ first: TLSOutcome) {
    var outcome = first
    while !hasFailed {
      // The handshake's bytes. Later, answers to key updates and alerts.
      send(context, promise: nil)
      context.flush()
      if !isEstablished && session.isEstablished {
        isEstablished = true
        context.fireChannelActive()
      }
      if !bytes.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: bytes.span.copied()))) }
      switch outcome {
      case .complete, .incomplete:
        if isEstablished { context.fireChannelReadComplete() }
        return
      case .more:
        bytes.removeAll()
        outcome = session.read(into: &bytes, max: Self.plaintextByteCountMax)
      case .closed:
        context.fireChannelReadComplete()
        context.close(promise: nil)
        return
      case .failed(let error): return fail(context, error)
      }
    }
  }

  private func send(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    var ciphertext = ByteQueue()
    session.takeCiphertext(into: &ciphertext)
    if ciphertext.isEmpty {
      promise?.succeed()
    } else {
      context.write(wrapOutboundOut(ByteBuffer(bytes: ciphertext.span.copied())), promise: promise)
    }
  }

  private func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
    guard !hasFailed else { return }
    hasFailed = true
    context.fireErrorCaught(FetchError.tlsFailed(error.reason))
    context.close(promise: nil)
  }
}
