// The end of a fetch's pipeline: sends a request and gathers the response to it. Another message may follow a message.
// Invariant: holds at most `byteCountMax` bytes of body, and reports exactly one outcome of each request.

internal import Configuration
internal import NIOCore
internal import NIOHTTP1

/// A connection that has brought a message and its answer.
struct KeptConnection: Sendable {
  let channel: any Channel
  let collector: NIOLoopBound<DocumentCollector>
}

/// Turns the parts of a response into a document or the reason why there is none. Lives on its channel's loop.
final class DocumentCollector: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private let url: FetchURL
  private var post: Posting?
  private let isKept: Bool
  private let terms: FetchTerms
  private let byteCountMax: Int
  private var report: Report
  private var document: Document?
  /// What the response says of its connection.
  private var isKeptAlive = false
  private var isOver = false
  private var context: ChannelHandlerContext?

  /// The outcome, and the connection where it is good for another message.
  typealias Report = @Sendable (Result<Document, FetchError>, KeptConnection?) -> Void

  /// - Parameters:
  ///   - post: nil asks for a document.
  ///   - isKept: the connection is to take another message afterwards.
  ///   - terms: of a request for a document.
  init(
    url: FetchURL, post: Posting?, isKept: Bool, terms: FetchTerms, byteCountMax: Int,
    report: @escaping Report
  ) {
    self.url = url
    self.post = post
    self.isKept = isKept
    self.terms = terms
    self.byteCountMax = byteCountMax
    self.report = report
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelActive(context: ChannelHandlerContext) {
    send(context)
    context.fireChannelActive()
  }

  /// Sends another message. To be called on the channel's loop once the outcome of the one before was reported.
  func sendNext(_ post: Posting, report: @escaping Report) {
    guard let context, isOver, isKeptAlive, context.channel.isActive else { return report(.failure(.truncated), nil) }
    self.post = post
    self.report = report
    document = nil
    isKeptAlive = false
    isOver = false
    send(context)
  }

  private func send(_ context: ChannelHandlerContext) {
    var head = HTTPRequestHead(version: .http1_1, method: post == nil ? .GET : .POST, uri: url.target)
    head.headers.add(name: "Host", value: url.authority)
    head.headers.add(name: "User-Agent", value: "catraca")
    if let post {
      for (name, value) in post.fields { head.headers.add(name: name, value: value) }
      head.headers.add(name: "Content-Length", value: "\(post.rest.reduce(post.body.count) { $0 + $1.count })")
    } else {
      head.headers.add(name: "Accept", value: terms.accept)
      if let version = terms.knownVersion { head.headers.add(name: "If-None-Match", value: version) }
    }
    if let bearer = terms.bearer { head.headers.add(name: "Authorization", value: "Bearer \(bearer.text)") }
    if !isKept { head.headers.add(name: "Connection", value: "close") }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    for piece in post.map({ [$0.body] + $0.rest }) ?? [] {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: piece)))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    // It may be sent only once.
    post?.rest = []
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isOver else { return }
    switch unwrapInboundIn(data) {
    case .head(let head):
      receivedHead(head)
    case .body(let bytes):
      guard var body = document?.body else { return }
      document?.body = []
      // LIMIT: the caller's byteCountMax: a longer body ends the fetch with `too_large`.
      guard body.count + bytes.readableBytes <= byteCountMax else { return finish(.failure(.tooLarge)) }
      body.append(contentsOf: bytes.readableBytesView)
      document?.body = body
    case .end:
      if let document { finish(.success(document)) }
    }
  }

  private func receivedHead(_ head: HTTPResponseHead) {
    let status = Int(head.status.code)
    // Nobody takes a switch of protocols.
    isKeptAlive = isKept && head.isKeepAlive && status >= 200
    switch status {
    case _ where post != nil: break
    case 200: break
    case 304 where terms.knownVersion != nil: break
    case 301, 302, 303, 307, 308:
      // LIMIT: a location of somebody else's is cut.
      let location = head.headers.first(name: "location").map { String($0.withoutURLSecrets.prefix(200)) }
      return finish(.failure(.redirected(status, to: location)))
    default: return finish(.failure(.status(status)))
    }
    // What says beforehand that it is too long need not be read.
    if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > byteCountMax {
      return finish(.failure(.tooLarge))
    }
    var document = Document(
      status: status, body: [],
      cacheControl: CacheControl(fields: head.headers["cache-control"], ages: head.headers["age"]),
      retryAfter: head.headers.first(name: "retry-after"))
    // LIMIT: a longer one is not sent back.
    document.version = head.headers.first(name: "etag").flatMap { $0.utf8.count <= 256 ? $0 : nil }
    self.document = document
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    case let error as FetchError: finish(.failure(error))
    case HTTPParserError.invalidEOFState: finish(.failure(.truncated))
    case let error as HTTPParserError: finish(.failure(.responseMalformed(String(describing: error))))
    case is IOError: finish(.failure(.connectFailed("the connection was reset")))
    default: finish(.failure(.responseMalformed(String(describing: error))))
    }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    finish(.failure(.truncated))
    context.fireChannelInactive()
  }

  private func finish(_ result: Result<Document, FetchError>) {
    guard !isOver else { return }
    isOver = true
    guard case .success = result, isKeptAlive, let context else { return report(result, nil) }
    report(
      result,
      KeptConnection(channel: context.channel, collector: NIOLoopBound(self, eventLoop: context.eventLoop)))
  }
}
