// The route table asked with heads and targets as they come from a client's bytes.

import Bytes
import Configuration
import HTTPWire
import Testing

@testable import Proxy

@Suite("Routes for parsed requests")
struct RouteRequestTests {
  private func find(_ text: String, _ routes: [Route]) throws -> Found {
    let input = Array(text.utf8)
    var head = RequestHead()
    guard case .complete = head.parse(input.span, limits: HeadLimits(byteCountMax: 4096, fieldCountMax: 20)) else {
      throw Unparsable()
    }
    var target = NormalTarget()
    if text.split(separator: " ").dropFirst().first != "*" {
      if target.normalize(head.bytes.span.extracting(head.pathAndQueryRange)) != nil { return Found(route: "400") }
    }
    var match = RouteMatch()
    let host = head.authority.map { head.bytes.span.extracting($0).copied() } ?? []
    let name = hostRange(of: host.span)
    let table = RouteTable(routes)
    switch table.match(host: host.span.extracting(name), target: target, head: head, into: &match) {
    case .notFound: return Found(route: "404")
    case .methodNotAllowed: return Found(route: "405")
    case .route(let index):
      let path = target.bytes.span.copied()
      return Found(
        route: routes[index].name, captures: match.captures.map { String(decoding: path[$0], as: UTF8.self) },
        rest: String(decoding: path[match.rest], as: UTF8.self))
    }
  }

  private struct Unparsable: Error {}

  @Test("Host without port, normal path and captures without query")
  func wholeRequest() throws {
    let routes = [makeRoute("/orders/{id}/*", host: "api.example.com"), makeRoute("/*")]
    let found = try find(
      "GET /x/../orders/%37;v=1/a%20b?token=1 HTTP/1.1\r\nHost: API.example.com:8080\r\n\r\n", routes)
    #expect(found == Found(route: "/orders/{id}/*", captures: ["7"], rest: "a%20b"))
  }

  @Test("T40 A path with bare parameters is matched as the path without them")
  func bareParameters() throws {
    let routes = [makeRoute("/admin/*", name: "admin"), makeRoute("/*", name: "public")]
    let cases = [
      ("/admin;x", "admin"), ("/admin;x/a", "admin"), ("/admin/;x", "admin"), ("/admin;", "admin"),
      ("/;x/admin", "400"),
      ("/a/..;/admin", "400"), ("/;/;/admin;", "400"), ("/x;/admin", "public"),
    ]
    for (path, name) in cases {
      #expect(try find("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n", routes).route == name, "\(path)")
    }
  }

  @Test("A condition holds for one field line, in any spelling of the name, with exactly its value")
  func conditions() throws {
    let routes = [makeRoute("/", headers: ["x-api-version": "2"], name: "two"), makeRoute("/", name: "plain")]
    let cases = [
      ("X-Api-Version: 2\r\n", "two"), ("x-api-version:  2 \r\n", "two"), ("X-API-VERSION: 22\r\n", "plain"),
      ("X-Api_Version: 2\r\n", "two"), ("X-Api-Version: 2\r\nx-api-version: 2\r\n", "plain"), ("", "plain"),
      ("X-Api-Version: 1\r\nX-Api-Version: 2\r\n", "plain"), ("X-Api-Versio: 2\r\n", "plain"),
    ]
    for (fields, name) in cases {
      #expect(try find("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n", routes).route == name, "\(fields)")
    }
  }

  @Test("T95: A rule for an IPv6 address holds for every spelling of it")
  func addresses() throws {
    let routes = [makeRoute("/*", host: "2001:db8::7", name: "closed"), makeRoute("/*", name: "any")]
    let cases = [
      ("[2001:db8::7]", "closed"), ("[2001:DB8:0:0:0:0:0:7]:80", "closed"), ("[2001:0db8::0007]", "closed"),
      ("[2001:db8::0.0.0.7]", "closed"), ("[2001:db8::8]", "any"), ("2001.db8", "any"), ("[::]", "any"),
    ]
    for (host, name) in cases {
      #expect(try find("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n", routes).route == name, "\(host)")
    }
    let long = [makeRoute("/*", host: "2001:db8:0:0:0:0:0:7", name: "closed"), makeRoute("/*", name: "any")]
    #expect(try find("GET / HTTP/1.1\r\nHost: [2001:db8::7]\r\n\r\n", long).route == "closed")
  }

  @Test("T44 OPTIONS * finds only the catch-all route without host")
  func asteriskForm() throws {
    let request = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(try find(request, [makeRoute("/*", host: "a"), makeRoute("/")]).route == "404")
    #expect(try find(request, [makeRoute("/*")]).route == "/*")
    #expect(try find(request, [makeRoute("/*", methods: ["GET"])]).route == "405")
  }

  @Test("T44 An absolute form that goes up as OPTIONS * is not a request for /")
  func absoluteAsteriskForm() throws {
    let request = "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(try find(request, [makeRoute("/"), makeRoute("/*", host: "a")]).route == "404")
    #expect(try find(request, [makeRoute("/"), makeRoute("/*")]).route == "/*")
    #expect(try find("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", [makeRoute("/"), makeRoute("/*")]).route == "/")
  }
}
