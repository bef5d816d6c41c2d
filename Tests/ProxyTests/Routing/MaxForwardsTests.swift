// OPTIONS and TRACE that say how far they may go (RFC 9110 §7.6.2).

import Testing

@testable import Proxy

@Suite("Max-Forwards")
struct MaxForwardsTests {
  private func passed(_ request: String) throws -> String? {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(request)
    return bench.servers.isEmpty ? nil : try bench.server().text
  }

  @Test("Each intermediary takes one off, in whatever case the name comes")
  func counted() throws {
    let text = try #require(try passed(head("OPTIONS /a HTTP/1.1", "Host: h", "MAX-forwards: 10")))
    #expect(text.contains("Max-Forwards: 9\r\n") && !text.lowercased().contains("max-forwards: 10"))
  }

  @Test("At 0 the gateway answers itself")
  func ends() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("OPTIONS /a HTTP/1.1", "Host: h", "Max-Forwards: 0"))
    #expect(status(client.take()) == 204 && bench.servers.isEmpty)
  }

  @Test("What is not a number, and the field of other methods, is passed on as it is")
  func untouched() throws {
    for value in ["-1", "x", "9999999999", ""] {
      #expect(
        try passed(head("OPTIONS /a HTTP/1.1", "Host: h", "Max-Forwards: \(value)"))?.contains("Max-Forwards: \(value)")
          == true)
    }
    #expect(try passed(head("GET /a HTTP/1.1", "Host: h", "Max-Forwards: 0"))?.contains("Max-Forwards: 0\r\n") == true)
  }

  @Test("TRACE is not forwarded: it would show the identity headers")
  func trace() throws {
    let bench = try Bench(openRoutes)
    let client = bench.connect()
    client.send(head("TRACE /a HTTP/1.1", "Host: h") + get())
    #expect(status(client.text) == 501 && bench.servers.count == 1)
  }
}
