// Paths that a route lets through as they are: with encoded slashes, and with empty segments.

import Testing

@testable import Proxy

@Suite("Kept paths")
struct KeptPathTests {
  private static let routes = #"""
    routes:
      - path: "/projects/{id}/*"
        auth: public
        encoded_slash: keep
        upstream: app
        request_headers: { set: { X-Id: "{id}", X-Rest: "{*}" } }
      - { path: "/queues/%2F/*", auth: public, encoded_slash: keep, upstream: app, rewrite: { strip_prefix: /queues } }
      - { path: "/moved/{id}", auth: public, encoded_slash: keep, redirect: { to: "/projects/{id}/x" } }
      - { path: "/p/*", auth: public, merge_slashes: false, upstream: app }
      - { path: "/p/admin/*", auth: public, respond: { status: 403, body: closed } }
      - { path: "/s/*", auth: public, merge_slashes: false, upstream: app, rewrite: { strip_prefix: /s } }
      - path: "/t/{bucket}/@/*"
        auth: public
        merge_slashes: false
        encoded_slash: keep
        upstream: app
        rewrite: { strip_prefix: /t, add_prefix: /v2 }
        request_headers: { set: { X-Rest: "{*}" } }
      - { path: "/*", auth: public, upstream: app }
    """#

  /// The answer to a request without an upstream, or the target that the upstream gets.
  private func outcome(_ target: String, method: String = "GET", on bench: Bench) throws -> String {
    let client = bench.connect()
    client.send("\(method) \(target) HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    let answer = client.take()
    if !answer.isEmpty {
      let location = values("location", in: answer)
      return location.isEmpty ? "\(status(answer)) \(code(answer))" : "\(status(answer)) \(location[0])"
    }
    let server = try bench.server()
    let request = server.take()
    server.send(ok())
    return String(lines(of: request)[0].split(separator: " ")[1])
  }

  @Test("An encoded slash is a byte of its segment in matching, in captures and on the wire")
  func encodedSlash() throws {
    let bench = try Bench(Self.routes)
    for (target, sent) in [
      ("/projects/group%2Frepo/issues", "/projects/group%2Frepo/issues"),
      ("/projects/group%2frepo/a%5cb?x=%2f", "/projects/group%2Frepo/a%5Cb?x=%2f"),
      ("/projects/%2F%2F/", "/projects/%2F%2F/"), ("/queues/%2f/q1", "/%2F/q1"), ("/queues/%2f", "/%2F"),
      ("/moved/a%2fb", "308 /projects/a%2Fb/x"), ("/projects/a%252fb.ics/x", "/projects/a%252fb.ics/x"),
      ("/projects/100%2525de/b%255c%2F", "/projects/100%2525de/b%255c%2F"),
    ] {
      #expect(try outcome(target, on: bench) == sent, "\(target)")
    }
    let client = bench.connect()
    client.send(get("/projects/group%2frepo;v=1/a/b%5c%7Ec"))
    let request = try bench.server().take()
    #expect(values("x-id", in: request) == ["group%2Frepo"])
    #expect(values("x-rest", in: request) == ["a/b%5C~c"])
  }

  @Test("Where no route keeps it, an encoded slash is refused, and dots beside it are refused everywhere")
  func refusedSlash() throws {
    let bench = try Bench(Self.routes)
    for target in [
      "/a%2Fb", "/a%5cb", "/projects%2Fa", "/queues/%5C/q", "/p/a%2Fb", "/projects/..%2Fa/x", "/projects/%2e%2e%2f/x",
      "/projects/a%2f./x", "/projects/a/b%5c..", "/p//a%2F",
    ] {
      for method in ["GET", "PUT", "OPTIONS"] {
        #expect(try outcome(target, method: method, on: bench) == "400 path_encoded_slash", "\(method) \(target)")
      }
    }
    for target in ["/a%252Fb", "/p/a%255cb", "/projects/..%252Fa/x", "/projects/a%252f%252e/x", "/p//100%2525"] {
      for method in ["GET", "PUT", "OPTIONS"] {
        #expect(try outcome(target, method: method, on: bench) == "400 path_double_encoded", "\(method) \(target)")
      }
    }
    let closed = try Bench("routes: [{ path: /a, methods: [GET], auth: public, encoded_slash: keep, upstream: app }]")
    #expect(try outcome("/b%2Fc", on: closed) == "400 path_encoded_slash")
    #expect(try outcome("/b", on: closed) == "404 route_not_found")
    bench.expectNothingHeld()
  }

  @Test("Empty segments of what a prefix matched go up as they are, and its rules are found without them")
  func emptySegments() throws {
    let bench = try Bench(Self.routes)
    for (target, sent) in [
      ("/p/https://example.com/x.png?a=//", "/p/https://example.com/x.png?a=//"), ("/p//", "/p//"),
      ("/p///a//b///", "/p///a//b///"), ("/p//a;x=1//%7eb/;y", "/p//a;x=1//~b/;y"), ("http://h/p//a", "/p//a"),
      ("/p/a/b", "/p/a/b"), ("/s/a//b", "/a//b"), ("/t/one/@//a//b", "/v2/one/@//a//b"),
      ("/t/one/%40//a", "/v2/one/%40//a"), ("/t/a%2Fb/@/c%2f//d", "/v2/a%2Fb/@/c%2F//d"),
    ] {
      for method in ["GET", "PUT"] {
        #expect(try outcome(target, method: method, on: bench) == sent, "\(method) \(target)")
      }
    }
    #expect(try outcome("/p//admin/x", on: bench) == "308 /p/admin/x")
    #expect(try outcome("/p//admin/x", method: "PUT", on: bench) == "400 path_not_normal")
    let client = bench.connect()
    client.send(get("/t/one/@//a//b"))
    #expect(values("x-rest", in: try bench.server().take()) == ["a/b"])
  }

  @Test("Empty segments that name another place than the route's are refused, and dots are treated as anywhere")
  func refusedSegments() throws {
    let bench = try Bench(Self.routes)
    for target in [
      "//p/a", "//p//a", "/t//one/@/a", "/t/one//@/a", "/t/one//%40//a", "/p/a/..//b", "/p//./b", "/s//evil.example/a",
      "/s//",
    ] {
      for method in ["GET", "PUT"] {
        #expect(try outcome(target, method: method, on: bench) == "400 path_not_normal", "\(method) \(target)")
      }
    }
    #expect(try outcome("/p/a/../b", on: bench) == "308 /p/b")
    #expect(try outcome("/p/a/../b", method: "PUT", on: bench) == "400 path_not_normal")
    #expect(try outcome("/other//a", on: bench) == "308 /other/a")
    bench.expectNothingHeld()
  }
}
