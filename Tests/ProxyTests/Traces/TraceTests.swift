// Which requests are traced, what upstreams get as `traceparent`, and what is in the bytes of a span.

import Bytes
import Testing

@testable import Proxy

@Suite("Traces")
struct TraceTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
  private static let parent = "00f067aa0ba902b7"

  private static func bench(_ traces: String, _ more: String = "", routes: String = openRoutes) throws -> Bench {
    try Bench(
      "traces: { endpoint: \"http://127.0.0.1:4318\"\(traces) }\ntrusted_proxies: [192.0.2.7]\n"
        + "\(routes)\n\(more)")
  }

  /// The parts of the `traceparent` that goes up.
  private func parts(of text: String) throws -> [String] {
    let value = try #require(values("traceparent", in: text).first)
    let parts = value.split(separator: "-").map(String.init)
    #expect(parts.map(\.count) == [2, 32, 16, 2] && parts[0] == "00", "\(value)")
    return parts
  }

  private func sent(_ bench: Bench, flags: String?, from peer: String = "192.0.2.7") throws -> [String] {
    let client = bench.connect(from: peer)
    client.send(get("/a?secret=1", "traceparent: \(flags.map { "00-\(Self.trace)-\(Self.parent)-\($0)" } ?? "none")"))
    let server = try bench.server()
    defer { server.send(ok()) }
    return try parts(of: server.take())
  }

  @Test("Numbers, texts and attributes have the bytes that Protocol Buffers have for them")
  func wireFormat() {
    var queue = ByteQueue()
    for value in [0, 127, 128, 300, UInt64.max] as [UInt64] { queue.append(varint: value) }
    #expect(queue.copied() == [0, 0x7F, 0x80, 1, 0xAC, 2] + Array(repeating: 0xFF, count: 9) + [1])
    queue.removeAll()
    queue.append(field: 7, fixed: UInt64(1))
    queue.append(field: 16, fixed: UInt32(0x301))
    #expect(queue.copied() == [0x39, 1, 0, 0, 0, 0, 0, 0, 0, 0x85, 1, 1, 3, 0, 0])
    queue.removeAll()
    queue.append(field: 9, attribute: "a", "bc")
    queue.append(field: 9, attribute: "a", number: 300)
    queue.append(field: 9, attribute: "a", isTrue: true)
    #expect(
      queue.copied() == [0x4A, 9, 0x0A, 1, 0x61, 0x12, 4, 0x0A, 2, 0x62, 0x63]
        + [0x4A, 8, 0x0A, 1, 0x61, 0x12, 3, 0x18, 0xAC, 2] + [0x4A, 7, 0x0A, 1, 0x61, 0x12, 2, 0x10, 1])
    queue.removeAll()
    queue.append(field: 1, attribute: "a", Array(repeating: 0x62, count: 200).span)
    #expect(queue.count == 1 + 2 + 3 + 3 + 3 + 200)
  }

  @Test("A text that is not UTF-8 has a replacement for each byte that is wrong")
  func repair() {
    for (bytes, text) in [
      ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0xC3, 0xA9, 0xC3], "é\u{FFFD}"),
      ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
    ] as [([UInt8], String)] {
      let isWhole = bytes.span.isUTF8
      let repaired = bytes.span.repairedUTF8().text()
      #expect(!isWhole && repaired == text)
    }
    let good = Array("aé😀".utf8)
    let isWhole = good.span.isUTF8
    #expect(isWhole)
  }

  @Test("A trusted parent's flag decides, whatever the share of requests is")
  func parentDecides() throws {
    for sample in ["0%", "100%"] {
      let bench = try Self.bench(", sample: \(sample)")
      let traced = try sent(bench, flags: "01")
      #expect(traced[1] == Self.trace && traced[2] != Self.parent && traced[3] == "01")
      #expect(bench.worker.spans.take().count == 2)
      #expect(try sent(bench, flags: "00") == ["00", Self.trace, Self.parent, "00"])
      #expect(bench.worker.spans.count == 0)
    }
  }

  @Test("The share of requests decides where there is no parent, or not one whose word counts")
  func shareDecides() throws {
    for flags in [nil, "00", "01"] {
      let all = try Self.bench("")
      let traced = try sent(all, flags: flags, from: "192.0.2.8")
      #expect(traced[3] == "01" && (traced[1] == Self.trace) == (flags != nil) && traced[2] != Self.parent)
      #expect(all.worker.spans.take().count == 2)
      let none = try Self.bench(", sample: 0%")
      let untraced = try sent(none, flags: flags, from: "192.0.2.8")
      #expect(untraced[3] == "00" && (untraced[1] == Self.trace) == (flags != nil))
      // Who changes the flag is a new parent.
      #expect((untraced[2] == Self.parent) == (flags == "00"))
      #expect(none.worker.spans.count == 0)
    }
    let anyone = try Self.bench(", sample: 0%, parent: anyone")
    #expect(try sent(anyone, flags: "01", from: "192.0.2.8")[3] == "01")
    let nobody = try Self.bench(", sample: 100%, parent: nobody")
    #expect(try sent(nobody, flags: "00")[3] == "01")
    let flagged = try Self.bench("")
    #expect(try sent(flagged, flags: "03")[3] == "03" && sent(flagged, flags: "02")[3] == "02")
  }

  @Test("About as many requests are traced as the file says")
  func ratio() throws {
    let bench = try Self.bench(
      ", sample: 25%", routes: "routes: [{ path: /*, auth: public, respond: { status: 200 } }]")
    let client = bench.connect()
    for _ in 0..<2000 { client.send(get()) }
    #expect((400...600).contains(bench.worker.spans.count))
  }

  @Test("Each attempt is a parent of its own, and the server has its attempt's")
  func attempts() throws {
    let bench = try Self.bench(
      "", "upstreams: { app: { servers: [10.0.0.1:1, 10.0.0.2:2], retry: { on: [\"503\"] } } }")
    let client = bench.connect()
    client.send(get("/a", "traceparent: 00-\(Self.trace)-\(Self.parent)-01"))
    let first = try parts(of: bench.servers[0].text)
    bench.servers[0].send("HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy")
    let second = try parts(of: bench.servers[1].text)
    #expect(values("traceparent", in: bench.servers[1].text).count == 1)
    bench.servers[1].send(ok("fine"))
    #expect(body(of: client.text) == "fine")
    #expect(first[1] == Self.trace && second[1] == Self.trace && first[2] != second[2])
    let spans = bench.worker.spans.take()
    #expect(spans.count == 3)
    let bytes = String(decoding: spans.bytes, as: UTF8.self)
    for text in ["http.request.resend_count", "503", "10.0.0.1", "10.0.0.2"] {
      #expect(bytes.contains(text), "\(text)")
    }
    #expect(bench.logLines[0].contains("\"trace_id\":\"\(Self.trace)\""))
    bench.expectNothingHeld()
  }

  @Test("No query and no fragment is in a span, also where a target was refused, and no path where none is to be")
  func secrets() throws {
    for target in [
      "/a?secret=1", "/a//../b?secret=1", "/%zz?secret=1", "/a#secret", "/none?secret=1", "http://h/a?secret",
    ] {
      for paths in [true, false] {
        let bench = try Self.bench(", paths: \(paths)", routes: "routes: [{ path: /a, auth: public, upstream: app }]")
        let client = bench.connect()
        client.send(get(target, "Authorization: Bearer secret", "Cookie: secret=1"))
        if let server = bench.servers.last { server.send(ok()) }
        let spans = bench.worker.spans.take()
        let text = String(decoding: spans.bytes, as: UTF8.self)
        #expect(spans.count > 0 && !text.contains("secret"), "\(target)")
        if !paths { #expect(!text.contains("url.path")) }
      }
    }
  }

  @Test("A rule of the route for traceparent counts, and a request that ends early has the trace in its log line")
  func rules() throws {
    let rule = "routes: [{ path: /a, auth: public, upstream: app, request_headers: { remove: [traceparent] } }]"
    let bench = try Self.bench("", routes: rule)
    let client = bench.connect()
    client.send(get("/a"))
    #expect(try values("traceparent", in: bench.server().text).isEmpty)
    try bench.server().send(ok())
    client.send(get("/none", "traceparent: 00-\(Self.trace)-\(Self.parent)-01"))
    #expect(bench.logLines[1].contains("\"trace_id\":\"\(Self.trace)\""))
    #expect(bench.worker.spans.take().count == 3)
  }
}
