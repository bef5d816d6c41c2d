// One client's connection to the small server: gathers a request, asks the handler, writes the response, and again.
// Invariant: one request at a time (NIO's pipelining assistance holds the next ones back), and bounded in bytes.

internal import NIOCore
internal import NIOHTTP1

/// Lives on its channel's loop. Only the handler runs elsewhere.
final class SmallConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    case idle
    case receiving(HTTPRequestHead, [UInt8])
    /// The rest of a request that was refused is thrown away.
    case discarding
    case answering(Task<Void, Never>)
  }

  private let handler: SmallHTTPServer.Handler
  private let bodyByteCountMax: Int
  private let noteAnswering: (Bool) -> Void
  private var state = State.idle
  private var isKeptAlive = true

  /// - Parameter noteAnswering: called when the handler begins and when its answer is written.
  init(
    handler: @escaping SmallHTTPServer.Handler, bodyByteCountMax: Int, noteAnswering: @escaping (Bool) -> Void
  ) {
    self.handler = handler
    self.bodyByteCountMax = bodyByteCountMax
    self.noteAnswering = noteAnswering
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch (unwrapInboundIn(data), state) {
    case (.head(let head), _):
      isKeptAlive = head.isKeepAlive
      // LIMIT: bodyByteCountMax: 413, and the connection is closed behind it.
      if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > bodyByteCountMax {
        return refuse(context, head)
      }
      state = .receiving(head, [])
      if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
        context.writeAndFlush(wrapOutboundOut(.head(.init(version: head.version, status: .continue))), promise: nil)
      }
    case (.body(let bytes), .receiving(let head, var body)):
      guard body.count + bytes.readableBytes <= bodyByteCountMax else { return refuse(context, head) }
      state = .idle
      body.append(contentsOf: bytes.readableBytesView)
      state = .receiving(head, body)
    case (.end, .receiving(let head, let body)):
      answer(context, head, body)
    default:
      break
    }
  }

  private func answer(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ body: [UInt8]) {
    let request = SmallRequest(
      method: head.method.rawValue, target: head.uri, fields: head.headers.map { ($0.name, $0.value) }, body: body)
    let here = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    noteAnswering(true)
    state = .answering(
      Task { [handler, loop = context.eventLoop] in
        let response = await handler(request)
        loop.execute {
          let (connection, context) = here.value
          connection.write(context, response, to: head)
        }
      })
  }

  private func write(_ context: ChannelHandlerContext, _ response: SmallResponse, to head: HTTPRequestHead) {
    noteAnswering(false)
    guard context.channel.isActive else { return }
    var answer = HTTPResponseHead(version: head.version, status: .init(statusCode: response.status))
    for (name, value) in response.fields { answer.headers.add(name: name, value: value) }
    if response.status >= 200 && response.status != 204 {
      answer.headers.replaceOrAdd(name: "Content-Length", value: String(response.body.count))
    }
    if !isKeptAlive {
      answer.headers.replaceOrAdd(name: "Connection", value: "close")
    } else if head.version.minor == 0 {
      answer.headers.replaceOrAdd(name: "Connection", value: "keep-alive")
    }
    context.write(wrapOutboundOut(.head(answer)), promise: nil)
    if head.method != .HEAD && !response.body.isEmpty {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: response.body)))), promise: nil)
    }
    state = .idle
    let written = context.eventLoop.makePromise(of: Void.self)
    if !isKeptAlive {
      let channel = context.channel
      written.futureResult.whenComplete { _ in channel.close(promise: nil) }
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
  }

  private func refuse(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
    isKeptAlive = false
    write(context, .text("The body is too large.\n", status: 413), to: head)
    state = .discarding
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch (event, state) {
    // LIMIT: a client that is silent for a minute is closed, unless it is the handler that takes so long.
    case (is IdleStateHandler.IdleStateEvent, .idle), (is IdleStateHandler.IdleStateEvent, .receiving),
      (is IdleStateHandler.IdleStateEvent, .discarding):
      context.close(promise: nil)
    // A client that has shut its sending side still waits for the answer under way.
    case (ChannelEvent.inputClosed, .answering):
      isKeptAlive = false
    case (ChannelEvent.inputClosed, _):
      context.close(promise: nil)
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if case .answering(let task) = state { task.cancel() }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
