// The fetch client against real sockets: every way in which a document can fail to come.

import Foundation
import NIOCore
import NIOPosix
import TLS
import TestSupport
import Testing

@testable import ControlPlane

private let group = MultiThreadedEventLoopGroup.singleton
private let fetcher = DocumentFetcher(group: group)

/// What a fetch of an answer, byte for byte, comes to.
private func outcome(
  _ answer: String, then end: RawServer.End = .close, deadline: Duration = .seconds(60), byteCountMax: Int = 1 << 20
) async throws -> Result<Document, FetchError> {
  let server = try await RawServer.start(answer, then: end)
  let result = await fetch("http://127.0.0.1:\(server.port)/", deadline: deadline, byteCountMax: byteCountMax)
  await server.stop()
  return result
}

private func fetch(
  _ url: String, trust: Trust = .system, deadline: Duration = .seconds(60), byteCountMax: Int = 1 << 20
) async -> Result<Document, FetchError> {
  do throws(FetchError) {
    return .success(try await fetcher.get(url: url, trust: trust, deadline: deadline, byteCountMax: byteCountMax))
  } catch {
    return .failure(error)
  }
}

private func code(_ result: Result<Document, FetchError>) -> String {
  switch result {
  case .success: "success"
  case .failure(let error): error.code
  }
}

/// Comes back when the task is cancelled, and not before.
func untilCancelled() async {
  let (never, end) = AsyncStream.makeStream(of: Void.self)
  for await _ in never {}
  end.finish()
}

@Suite struct DocumentFetcherTests {
  @Test("A document comes whole, with what Cache-Control says")
  func document() async throws {
    let body = [UInt8](repeating: 7, count: 300_000)
    let server = try await SmallHTTPServer.start(group: group) { _ in
      SmallResponse(status: 200, fields: [("Cache-Control", "max-age=90"), ("cache-control", "no-cache")], body: body)
    }
    var expected = CacheControl()
    expected.maxAgeSeconds = 90
    expected.isReuseForbidden = true
    #expect(
      await fetch("http://127.0.0.1:\(server.port)/")
        == .success(.init(status: 200, body: body, cacheControl: expected)))
    await server.stop()
  }

  @Test("T73 The request names the path and the host as they are in the URL")
  func request() async throws {
    let server = try await SmallHTTPServer.start(group: group) { request in
      .text("\(request.method) \(request.target) \(request.field("host") ?? "-")")
    }
    let document = try await fetcher.get(url: "http://localhost:\(server.port)//a/../%2E?b=//c", deadline: .seconds(60))
    #expect(String(decoding: document.body, as: UTF8.self) == "GET //a/../%2E?b=//c localhost:\(server.port)")
    await server.stop()
  }

  @Test("A body that ends with the connection, or comes in chunks, is taken")
  func framings() async throws {
    let closed = try await outcome("HTTP/1.0 200 OK\r\n\r\nhello").get()
    #expect(closed.body == Array("hello".utf8))
    let chunked = try await outcome(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", then: .keepOpen
    ).get()
    #expect(chunked.body == Array("hello".utf8))
  }

  @Test("T24 A redirect is an error and is not followed", arguments: [301, 302, 303, 307, 308])
  func redirect(status: Int) async throws {
    let (asked, askedOnce) = AsyncStream.makeStream(of: String.self)
    let server = try await SmallHTTPServer.start(group: group) { request in
      askedOnce.yield(request.target)
      return SmallResponse(status: status, fields: [("Location", "/elsewhere")])
    }
    #expect(await fetch("http://127.0.0.1:\(server.port)/keys") == .failure(.redirected(status, to: "/elsewhere")))
    await server.stop()
    askedOnce.finish()
    let targets = await asked.reduce(into: []) { $0.append($1) }
    #expect(targets == ["/keys"])
  }

  @Test("T23 Any status but 200 is an error", arguments: [201, 204, 304, 400, 404, 500, 503])
  func status(status: Int) async throws {
    #expect(
      try await outcome("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n", then: .keepOpen)
        == .failure(.status(status)))
  }

  @Test("T23 A body over the bound is refused, announced or not")
  func tooLarge() async throws {
    let announced = try await outcome("HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n", then: .keepOpen)
    #expect(announced == .failure(.tooLarge))
    let body = String(repeating: "x", count: 1001)
    let unannounced = try await outcome("HTTP/1.1 200 OK\r\n\r\n" + body, byteCountMax: 1000)
    #expect(unannounced == .failure(.tooLarge))
    #expect(try await code(outcome("HTTP/1.1 200 OK\r\n\r\n" + body, byteCountMax: 1001)) == "success")
  }

  @Test(
    "T23 A response that is cut off is not a document",
    arguments: [
      "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ])
  func truncated(answer: String) async throws {
    #expect(try await outcome(answer) == .failure(.truncated))
  }

  @Test(
    "T23 What is not HTTP is recognised and never a trap",
    arguments: [
      "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "\0\0\0\0", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    ])
  func malformed(answer: String) async throws {
    #expect(try await code(outcome(answer)) == "response_malformed")
  }

  @Test("T23 An issuer that says nothing, or stops in the middle, is abandoned at the deadline")
  func timeout() async throws {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"] {
      #expect(try await outcome(answer, then: .keepOpen, deadline: .milliseconds(50)) == .failure(.timeout))
    }
  }

  @Test("A port that nobody listens on, and a name that does not resolve, are connect failures")
  func connectFailed() async throws {
    let server = try await RawServer.start("", then: .close)
    await server.stop()
    #expect(await code(fetch("http://127.0.0.1:\(server.port)/")) == "connect_failed")
    #expect(await code(fetch("http://nowhere.invalid/")) == "connect_failed")
  }

  @Test("A fetch that is cancelled ends at once", arguments: [false, true])
  func cancelled(isBefore: Bool) async throws {
    let (arrived, arrival) = AsyncStream.makeStream(of: Void.self)
    let server = try await SmallHTTPServer.start(group: group) { _ in
      arrival.yield()
      // Answers only when the server is stopped.
      await untilCancelled()
      return .text("late")
    }
    let task = Task {
      if isBefore { await untilCancelled() }
      return await fetch("http://127.0.0.1:\(server.port)/")
    }
    if !isBefore { for await _ in arrived { break } }
    task.cancel()
    #expect(await task.value == .failure(.cancelled))
    await server.stop(within: .zero)
  }

  @Test("T25 https is verified: the right certificate passes, the others name their fault")
  func https() async throws {
    let certificates = try await TestCertificates.shared()
    let good = try TLSServer(certificates, .good)
    let document = try await fetcher.get(
      url: "https://localhost:\(good.port)/good.crt", trust: .file(certificates.authority), deadline: .seconds(60))
    #expect(document.body == Array(try Data(contentsOf: URL(filePath: certificates.certificate(.good)))))
    #expect(
      await fetch("https://127.0.0.1:\(good.port)/good.crt", trust: .file(certificates.authority))
        == .failure(.tlsFailed("certificate verify failed: IP address mismatch")))
    #expect(
      await fetch("https://localhost:\(good.port)/good.crt")
        == .failure(.tlsFailed("certificate verify failed: unable to get local issuer certificate")))
    for (kind, fault) in [
      (TestCertificates.Kind.wrongHost, "hostname mismatch"), (.expired, "certificate has expired"),
      (.unknownAuthority, "unable to get local issuer certificate"),
    ] {
      let server = try TLSServer(certificates, kind)
      #expect(
        await fetch("https://localhost:\(server.port)/good.crt", trust: .file(certificates.authority))
          == .failure(.tlsFailed("certificate verify failed: \(fault)")))
    }
  }

  @Test("T25 A trust file that cannot be read fails the fetch, it does not fall back to the system's")
  func trustFile() async throws {
    #expect(await code(fetch("https://127.0.0.1:1/", trust: .file("/nonexistent"))) == "tls_failed")
  }

  @Test("https to a plain http server fails with a reason")
  func plainServer() async throws {
    let server = try await SmallHTTPServer.start(group: group) { _ in .text("x") }
    #expect(await code(fetch("https://127.0.0.1:\(server.port)/")) == "tls_failed")
    await server.stop()
  }
}
