// Paths that would name something else in another spelling: they are redirected or refused, and never changed in
// silence.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct PathSilenceTests {
  /// A store behind a gateway: PUT, GET and DELETE of whatever name is in the target, byte by byte.
  struct Store {
    let objects = Monitor([String: String]())
    let upstream: TestUpstream
    let gateway: GatewayProcess

    init(_ keys: String = "auth: public", top: String = "") async throws {
      let objects = objects
      upstream = try await TestUpstream.start { connection in
        while true {
          let request = try await connection.receiveRequest()
          let name = request.target
          switch request.method {
          case "PUT":
            objects.update { $0[name] = request.text }
            try await connection.answer("", to: request)
          case "DELETE":
            objects.update { $0[name] = nil }
            try await connection.answer("", to: request)
          default:
            let found = objects.current[name]
            try await connection.answer(found ?? "", status: found == nil ? "404 Not Found" : "200 OK", to: request)
          }
        }
      }
      gateway = try await GatewayProcess.start(
        """
        \(top)
        upstreams: { store: { servers: ["\(upstream.address)"] } }
        routes: [{ path: "/*", \(keys), upstream: store }]
        """)
    }

    func put(_ name: String, _ text: String) async throws -> RawResponse {
      let head = "PUT \(name) HTTP/1.1\r\nHost: test\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
      return try await gateway.exchange(head + text)
    }
  }

  @Test("T117: No call of a store changes, removes or shows another object than the one that it names")
  func store() async throws {
    let store = try await Store()
    for name in ["/one/a/b", "/two/k", "/one/lead", "/one/z", "/one/x/y", "/one/x/"] {
      #expect(try await store.put(name, "first").status == 200)
    }
    let before = store.objects.current
    let count = store.upstream.requests.count
    let names = [
      "/one/a//b", "/one/../two/k", "/one//lead", "//one/lead", "/one/./z", "/one/x/./y", "/one/x/../x/y", "/one/x//",
      "/one/x/.", "/one/x/y/..", "/one/%2e/z", "/one/x/%2E%2e/x/y", "/one/.%2e/two/k", "/./two/k",
    ]
    for name in names {
      let written = try await store.put(name, "second")
      #expect(written.status == 400 && written.code == "path_not_normal", "PUT \(name)")
      for method in ["DELETE", "POST", "PATCH", "MKCOL", "OPTIONS", "FOO", "get"] {
        let answer = try await store.gateway.get(name, method: method)
        #expect(answer.status == 400 && answer.code == "path_not_normal", "\(method) \(name)")
      }
    }
    #expect(store.objects.current == before)
    #expect(store.upstream.requests.count == count)
  }

  @Test("T117: Names that other servers keep apart reach the store as they were written")
  func ordinary() async throws {
    let store = try await Store()
    // Some stores read a bare plus as a space. `My%20File.txt` is how browsers save files.
    let names = [
      "/d/My%2520File.txt", "/d/a%2Bb", "/d/a+b", "/d/a%3Db%26c", "/d/%40me", "/d/@me", "/d/50%25%20off", "/d/%C3%A4",
      "/d/a;v=1", "/d/...", "/d/.hidden", "/d/a..b", "/d/x/", "/d/x",
    ]
    for name in names { #expect(try await store.put(name, "of \(name)").status == 200, "\(name)") }
    #expect(store.objects.current.keys.sorted() == names.sorted())
    for name in names { #expect(try await store.gateway.get(name).text == "of \(name)") }
  }

  @Test("T117: GET and HEAD are redirected to the normal path on the same host, with their query, and get there")
  func redirects() async throws {
    let store = try await Store()
    _ = try await store.put("/two/k?a=../b&c=//d", "found")
    let cases = [
      ("/one/../two/k?a=../b&c=//d", "/two/k?a=../b&c=//d"), ("//evil.example/", "/evil.example/"),
      ("//evil.example/..", "/"), ("///evil.example//x?//y", "/evil.example/x?//y"),
      ("/.//evil.example", "/evil.example"),
      ("/x/..//evil.example/", "/evil.example/"), ("//", "/"), ("//?", "/?"), ("/%2e//%40evil", "/%40evil"),
      ("http://test//evil.example/a", "/evil.example/a"), ("/a/./%7euser", "/a/~user"),
      ("//user@evil.example", "/user@evil.example"),
    ]
    for (target, location) in cases {
      for method in ["GET", "HEAD"] {
        let answer = try await store.gateway.get(target, method: method)
        #expect(answer.status == 308, "\(method) \(target)")
        #expect(answer.values(of: "Location") == [location], "\(method) \(target)")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer.body.isEmpty)
      }
    }
    let client = try await store.gateway.connect()
    let first = try await client.get("/one/../two/k?a=../b&c=//d")
    #expect(try await client.get(try #require(first["Location"])).text == "found")
    #expect(store.upstream.requests.count == 2)
  }

  @Test(
    "T117: The log has a refused or redirected path as it was written, beside the one that was matched, and no query")
  func log() async throws {
    let store = try await Store()
    for target in [
      "/a//b?token=secret", "/c/%2F?token=secret", "/e\\\"x", "/f/%c0%af", "/g?\u{E9}=secret", "/h#secret",
    ] {
      _ = try await store.gateway.exchange("PUT \(target) HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
    }
    _ = try await store.gateway.get("/i/../j?token=secret")
    let lines = try await store.gateway.waitForAccessLog(7)
    let expected = [
      ("/a//b", "/a/b", "path_not_normal"), ("/c/%2F", nil, "path_encoded_slash"),
      (#"/e\\\"x"#, nil, "target_byte_invalid"), ("/f/%c0%af", nil, "path_not_utf8"),
      ("/g", nil, "target_byte_invalid"), ("/h", nil, "target_byte_invalid"), ("/i/../j", "/j", "path_not_normal"),
    ]
    for (line, (path, matched, reason)) in zip(lines, expected) {
      let both = "\"path\":\"\(path)\"," + (matched.map { "\"matched_path\":\"\($0)\"," } ?? "") + "\"protocol\""
      #expect(line.contains(both) && line.contains("\"reason\":\"\(reason)\""), "\(line)")
      #expect(!line.contains("secret"))
    }
    let metrics = try await store.gateway.metrics()
    #expect(metrics.sum("catraca_errors_total", ["reason": "path_not_normal"]) == 2)
  }

  @Test("T117: A preflight is answered for what it announces, and the page may read why its call was refused")
  func crossOrigin() async throws {
    let store = try await Store("auth: public, cors: { origins: [\"https://app.example\"], methods: [PUT] }")
    let origin = "Origin: https://app.example"
    let preflight = try await store.gateway.get(
      "/a//b", method: "OPTIONS", [origin, "Access-Control-Request-Method: PUT"])
    #expect(preflight.status == 204)
    for (method, status) in [("PUT", 400), ("GET", 308), ("OPTIONS", 400)] {
      let answer = try await store.gateway.get("/a//b", method: method, [origin])
      #expect(answer.status == status, "\(method)")
      #expect(answer["Access-Control-Allow-Origin"] == "https://app.example", "\(method)")
    }
    #expect(try await store.gateway.get("*", method: "OPTIONS", [origin]).status == 404)
    #expect(store.upstream.requests.map(\.target) == ["*"])
  }

  @Test("T117: Over HTTP/2 a call of gRPC is refused, a GET redirected, and a CONNECT for a WebSocket refused")
  func http2() async throws {
    let store = try await Store("auth: public, websocket: true")
    let client = try await store.gateway.connect()
    func connect(_ path: String) -> [(String, String)] {
      Frames.get(path, (":protocol", "websocket"), ("sec-websocket-version", "13")).map {
        $0.0 == ":method" ? ($0.0, "CONNECT") : $0
      }
    }
    let grpc = Frames.post("/a//b", ("content-type", "application/grpc"), ("te", "trailers"))
    try await client.send(
      Frames.preface + Frames.settings() + Frames.headers(1, grpc, end: true)
        + Frames.headers(3, Frames.get("/x/../y"), end: true) + Frames.headers(5, connect("/x//y")))
    let lines = try await store.gateway.waitForAccessLog(3)
    func line(_ text: String) throws -> String { try #require(lines.first { $0.contains(text) }) }
    #expect(try line("\"path\":\"/a//b\"").contains("\"status\":200"))
    #expect(try line("\"path\":\"/a//b\"").contains("\"grpc_status\":13"))
    #expect(try line("\"path\":\"/x/../y\"").contains("\"status\":308"))
    #expect(try line("\"path\":\"/x//y\"").contains("\"status\":400"))
    for line in lines { #expect(line.contains("\"reason\":\"path_not_normal\""), "\(line)") }
    #expect(store.upstream.requests.isEmpty)
  }

  @Test("T95: Overlong UTF-8, a Host with several final dots, and bytes beyond ASCII in path or query are refused")
  func odd() async throws {
    let upstream = try await TestUpstream.echo()
    let gateway = try await GatewayProcess.start(
      """
      upstreams: { u: { servers: ["\(upstream.address)"] } }
      routes:
        - { host: admin.example, path: "/*", auth: public, respond: { status: 403, body: closed } }
        - { path: "/*", auth: public, upstream: u }
      """)
    for target in ["/%c0%af/", "/%c0%ae%c0%ae/x", "/%e0%80%af", "/x/%E9", "/a;%80"] {
      #expect(try await gateway.get(target).code == "path_not_utf8", "\(target)")
    }
    for target in ["/\u{E9}", "/a?b=\u{E9}", "/a?\u{20AC}"] {
      #expect(try await gateway.get(target).code == "target_byte_invalid", "\(target)")
    }
    for dots in ["..", "...", "..:80", "...................."] {
      let answer = try await gateway.exchange("GET / HTTP/1.1\r\nHost: admin.example\(dots)\r\n\r\n")
      #expect(answer.code == "host_invalid", "\(dots)")
      #expect(try await gateway.get("http://admin.example\(dots)/").status == 400, "\(dots)")
    }
    for host in ["admin.example", "admin.example.", "ADMIN.example.:80"] {
      let answer = try await gateway.exchange("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      #expect(answer.text == "closed", "\(host)")
    }
    let client = try await gateway.connect()
    let fields = Frames.get("/h2").map { $0.0 == ":authority" ? ($0.0, "admin.example...") : $0 }
    let others = [Frames.get("/h2/%c0%ae"), Frames.get("/h2?\u{E9}")]
    try await client.send(Frames.preface + Frames.settings() + Frames.headers(1, fields, end: true))
    for (index, fields) in others.enumerated() {
      try await client.send(Frames.headers(UInt32(index * 2 + 3), fields, end: true))
    }
    for reason in ["host_invalid", "path_not_utf8", "target_byte_invalid"] {
      let line = try await gateway.waitForAccessLog(containing: "\"protocol\":\"HTTP/2\"", "\"reason\":\"\(reason)\"")
      #expect(line.contains("\"status\":400"))
    }
    #expect(upstream.requests.isEmpty)
    #expect(try await gateway.get("/a?b=%E9").status == 200)
  }
}
