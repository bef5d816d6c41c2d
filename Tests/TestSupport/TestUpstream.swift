// A server that does what a test's script says, byte by byte, and remembers what it was sent.

import NIOCore
import NIOPosix
package import TLS

/// A TCP server on a free port of 127.0.0.1, a script for each connection. Ends when the object goes.
package final class TestUpstream: Sendable {
  package typealias Script = @Sendable (ScriptedConnection) async throws -> Void

  struct Log: Sendable {
    var requests: [RawRequest] = []
    var connections: [ByteStream] = []
    var openCount = 0
    var failures: [String] = []
    var isGone = false
  }

  package let port: Int
  package var address: String { "127.0.0.1:\(port)" }
  private let channel: any Channel
  private let log: Monitor<Log>

  private init(channel: any Channel, log: Monitor<Log>) {
    self.channel = channel
    self.log = log
    port = channel.localAddress?.port ?? 0
  }

  deinit {
    log.update { $0.isGone = true }
    for connection in log.current.connections { connection.close() }
    ServerPorts.release(port, channel)
  }

  /// - Parameter isReading: false leaves what a connection receives in the kernel until its script calls
  /// `startReading`.
  /// - Parameter secure: speaks TLS.
  /// - Parameter host: another address of this machine. Its port is that of a name's other addresses.
  /// - Parameter path: listens there on a Unix socket instead of a port.
  package static func start(
    isReading: Bool = true, receiveBufferByteCount: Int? = nil, secure: ServerContext? = nil, path: String? = nil,
    at host: String = "127.0.0.1", port: Int = 0, _ script: @escaping Script
  ) async throws -> TestUpstream {
    let log = Monitor(Log()) { "\($0.requests.count) requests on \($0.connections.count) connections, \($0.failures)" }
    var bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1024)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.autoRead, value: isReading)
      .childChannelInitializer { channel in
        if log.current.isGone { return channel.close() }
        let inbox = ByteStream.makeInbox()
        return channel.eventLoop.makeCompletedFuture {
          if let secure { try channel.pipeline.syncOperations.addHandler(SecureHandler(server: secure)) }
          try channel.pipeline.syncOperations.addHandler(ByteStream.InboxHandler(inbox))
          begin(ByteStream(channel: channel, inbox: inbox), channel, log, script)
        }
      }
    if let path {
      return TestUpstream(channel: try await bootstrap.bind(unixDomainSocketPath: path).get(), log: log)
    }
    bootstrap =
      bootstrap
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
    if let receiveBufferByteCount {
      // On the listening socket, so that the window is small from the handshake on.
      bootstrap = bootstrap.serverChannelOption(.socketOption(.so_rcvbuf), value: .init(receiveBufferByteCount))
    }
    return TestUpstream(channel: try await bootstrap.bind(host: host, port: port).get(), log: log)
  }

  private static func begin(
    _ stream: ByteStream, _ channel: any Channel, _ log: Monitor<Log>, _ script: @escaping Script
  ) {
    let number = log.update { log in
      log.connections.append(stream)
      log.openCount += 1
      return log.connections.count - 1
    }
    channel.closeFuture.whenComplete { _ in log.update { $0.openCount -= 1 } }
    Task {
      do {
        try await script(ScriptedConnection(stream: stream, number: number, log: log))
      } catch StreamFailure.ended(_, let rest) where rest.isEmpty {
        // The gateway has closed a connection that it needs no more.
      } catch {
        log.update { $0.failures.append("connection \(number): \(error)") }
      }
      stream.close()
    }
  }

  /// Answers each request in the way of ``ScriptedConnection/echo()``, for as long as the connection lives.
  package static func echo(secure: ServerContext? = nil, path: String? = nil) async throws -> TestUpstream {
    try await start(secure: secure, path: path) { connection in
      while true { try await connection.echo() }
    }
  }

  /// Answers each request with 200 and this text.
  package static func answering(
    _ text: String, at host: String = "127.0.0.1", port: Int = 0
  ) async throws -> TestUpstream {
    try await start(at: host, port: port) { connection in
      while true {
        let request = try await connection.receiveRequest()
        try await connection.answer(text, to: request)
      }
    }
  }

  /// A server that accepts nobody and whose accept queue is full: connecting to it takes for ever.
  package static func startFull() async throws -> TestUpstream {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1)
      .serverChannelOption(.autoRead, value: false)
      .bind(host: "127.0.0.1", port: 0).get()
    let upstream = TestUpstream(channel: channel, log: Monitor(Log()))
    // The queue holds one more than its backlog. The next connection waits.
    for _ in 1...2 {
      let waiting = try await ByteStream.connect(port: upstream.port)
      upstream.log.update { $0.connections.append(waiting) }
    }
    return upstream
  }

  /// All requests that were read whole, over all connections, in the order in which they were complete.
  package var requests: [RawRequest] { log.current.requests }
  /// The connections so far, closed ones too. `record` has the first bytes of each.
  package var connections: [ByteStream] { log.current.connections }
  package var openConnectionCount: Int { log.current.openCount }
  /// What scripts threw, other than the gateway closing a connection between requests.
  package var failures: [String] { log.current.failures }

  package func waitForRequests(_ count: Int) async throws -> [RawRequest] {
    try await log.wait(for: "\(count) requests at the upstream") { $0.requests.count >= count ? $0.requests : nil }
  }

  package func waitForConnections(_ count: Int) async throws -> [ByteStream] {
    try await log.wait(for: "\(count) connections") { $0.connections.count >= count ? $0.connections : nil }
  }

  package func waitForOpenConnections(_ count: Int) async throws {
    try await log.wait(for: "\(count) open connections") { $0.openCount == count ? () : nil }
  }
}

/// One connection as a script sees it.
package struct ScriptedConnection: Sendable {
  package let stream: ByteStream
  /// 0 for the server's first connection.
  package let number: Int
  let log: Monitor<TestUpstream.Log>

  /// The next request, read whole.
  package func receiveRequest() async throws -> RawRequest {
    let request = try await stream.receiveRequest()
    log.update { $0.requests.append(request) }
    return request
  }

  /// The next request's head. Its body is left to the script.
  package func receiveRequestHead() async throws -> RawRequest {
    let request = try await stream.receiveRequestHead()
    log.update { $0.requests.append(request) }
    return request
  }

  package func send(_ text: String) async throws { try await stream.send(text) }
  package func send(_ bytes: [UInt8]) async throws { try await stream.send(bytes) }
  package func reset() async throws { try await stream.reset() }
  package func close() { stream.close() }

  /// A 200 with a Content-Length.
  package func answer(_ text: String, status: String = "200 OK", fields: [String] = [], to request: RawRequest)
    async throws
  {
    let lines = ["HTTP/1.1 \(status)", "Content-Length: \(text.utf8.count)"] + fields
    try await send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (request.method == "HEAD" ? "" : text))
  }

  /// Reads a request and answers with what was received: the head as it was, an empty line, and the body.
  package func echo() async throws {
    let request = try await receiveRequest()
    let body = request.head.bytes + request.body
    var bytes = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(body.count)\r\n\r\n".utf8)
    if request.method != "HEAD" { bytes += body }
    try await send(bytes)
  }
}
