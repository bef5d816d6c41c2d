// The Destination of MOVE and COPY: as the server knows it, and never past the rules of another route.

import Testing

@testable import Proxy

@Suite("Destinations of MOVE and COPY")
struct DestinationTests {
  private static let routes = """
    trusted_proxies: [127.0.0.1]
    routes:
      - path: /dav/*
        auth: public
        upstream: app
        rewrite: { strip_prefix: /dav, add_prefix: /files, destination: true }
      - { path: /dav/locked/*, auth: public, upstream: app }
      - { path: /dav/plain/*, auth: public, upstream: app, rewrite: { destination: false } }
    """

  private func move(_ bench: Bench, from peer: String = "192.0.2.7", _ lines: String...) throws -> FakeSocket {
    let client = bench.connect(from: peer)
    client.send(
      (["MOVE /dav/a HTTP/1.1", "Host: shop.test"] + lines).map { $0 + "\r\n" }.joined() + "\r\n")
    return client
  }

  @Test(
    "It gets the scheme, the authority and the path that the server is asked by",
    arguments: [
      ("http://shop.test/dav/b", "http://shop.test/files/b"),
      ("https://SHOP.test/dav/b?c", "http://shop.test/files/b?c"),
      ("https://shop.test:443/dav/My%2520File.txt", "http://shop.test/files/My%2520File.txt"),
      ("/dav/b%7e", "http://shop.test/files/b~"), ("http://shop.test/dav", "http://shop.test/files"),
    ])
  func mapped(_ sent: String, _ expected: String) throws {
    let bench = try Bench(Self.routes)
    let client = try move(bench, "Destination: \(sent)", "Overwrite: F")
    let server = try bench.server()
    #expect(lines(of: server.text).first == "MOVE /files/a HTTP/1.1")
    #expect(values("destination", in: server.text) == [expected])
    #expect(values("overwrite", in: server.text) == ["F"])
    server.send(ok())
    #expect(status(client.text) == 200)
    bench.expectNothingHeld()
  }

  @Test(
    "Another host, another route and a path that is not normal are refused",
    arguments: [
      "http://other.test/dav/b", "http://shop.test:8080/dav/b", "http://shop.test/dav/locked/b", "http://shop.test/b",
      "/dav/locked", "http://shop.test/dav/../b", "http://shop.test/dav/%2e%2e/b", "http://shop.test/dav/x//b",
      "http://shop.test/dav/a%2Fb", "http://shop.test/%zz", "http://me@shop.test/dav/b", "//shop.test/dav/b", "dav/b",
      "ftp://shop.test/dav/b", "", "http://shop.test/dav/b#c", "http://shop.test/dav/%6cocked/b",
    ])
  func refused(_ sent: String) throws {
    let bench = try Bench(Self.routes)
    let client = try move(bench, "Destination: \(sent)")
    #expect(status(client.text) == 403 && code(client.text) == "destination_not_allowed", "\(client.text)")
    #expect(bench.servers.isEmpty)
    bench.expectNothingHeld()
  }

  @Test("Two are refused, and no other spelling of the name passes beside the one")
  func twice() throws {
    let bench = try Bench(Self.routes)
    let twice = try move(bench, "Destination: /dav/b", "destination: /dav/c")
    #expect(code(twice.text) == "destination_not_allowed")
    let none = try move(bench, "X-A: b")
    #expect(try values("destination", in: bench.server().text).isEmpty)
    try bench.server().send(ok())
    #expect(status(none.text) == 200)
    bench.expectNothingHeld()
  }

  @Test("Behind a trusted proxy the host that it was asked for is the client's")
  func proxied() throws {
    let bench = try Bench(Self.routes)
    let trusted = try move(
      bench, from: "127.0.0.1", "X-Forwarded-Host: out.test", "Destination: https://out.test/dav/b")
    #expect(try values("destination", in: bench.server().text) == ["http://shop.test/files/b"])
    try bench.server().send(ok())
    #expect(status(trusted.text) == 200)
    let other = try move(bench, "X-Forwarded-Host: out.test", "Destination: https://out.test/dav/b")
    #expect(code(other.text) == "destination_not_allowed")
    bench.expectNothingHeld()
  }

  @Test("An upstream that is asked by its own name gets that, on each attempt", arguments: ["server", "internal.test"])
  func named(_ host: String) throws {
    let bench = try Bench(
      Self.routes + "\nupstreams: { app: { servers: [10.0.0.1:9000, 10.0.0.2:9000], host: \(host) } }")
    bench.refusing = ["10.0.0.1:9000"]
    let client = try move(bench, "Destination: https://shop.test/dav/b")
    let name = host == "server" ? "10.0.0.2:9000" : host
    let server = try bench.server()
    #expect(values("host", in: server.text) == [name])
    #expect(values("destination", in: server.text) == ["http://\(name)/files/b"])
    server.send(ok())
    #expect(status(client.text) == 200)
    bench.expectNothingHeld()
  }

  @Test("A route without the key passes it on as it is")
  func unmapped() throws {
    let bench = try Bench(Self.routes)
    let client = bench.connect()
    client.send("MOVE /dav/plain/a HTTP/1.1\r\nHost: shop.test\r\nDestination: http://other.test/x\r\n\r\n")
    #expect(try values("destination", in: bench.server().text) == ["http://other.test/x"])
    bench.expectNothingHeld()
  }
}
