// What a hostile request does to the route table.

import Bytes
import Configuration
import TestBasics
import Testing

@testable import Proxy

@Suite("Route table under attack")
struct RouteThreatTests {
  @Test(
    "T40 Path parameters neither hide a segment from its rule nor make an empty one count",
    arguments: [
      "/admin;x", "/admin;x=1/", "/;/admin", "/;a/;b/admin;c", "/admin/;x", "/;x/admin/;y/users", "/admin/users;/",
    ])
  func matrixParameters(_ path: String) {
    let table = RouteLookUp([makeRoute("/*", name: "public"), makeRoute("/admin/*", name: "admin")])
    #expect(table.find(path).route == "admin")
  }

  @Test("T40 Captures and rest are right beside empty segments")
  func emptySegments() {
    let table = RouteLookUp([makeRoute("/u/{id}/*"), makeRoute("/x"), makeRoute("/x/")])
    #expect(table.find("/;a/u/;b/7;c/;d/files/1") == Found(route: "/u/{id}/*", captures: ["7"], rest: "files/1"))
    #expect(table.find("/u/7/;d") == Found(route: "/u/{id}/*", captures: ["7"]))
    #expect(table.find("/u/;d").route == "404")
    #expect(table.find("/x/;d").route == "/x/")
    #expect(table.find("/;d").route == "404")
    #expect(RouteLookUp([makeRoute("/")]).find("/;d").route == "/")
  }

  @Test("T44 OPTIONS * finds a catch-all route without host, and nothing else")
  func asteriskForm() {
    let closed = RouteLookUp([
      makeRoute("/*", host: "api.example.com"), makeRoute("/"), makeRoute("/{x}"), makeRoute("/a/*"),
    ])
    #expect(closed.find("*", host: "api.example.com", method: "OPTIONS").route == "404")
    #expect(closed.find("*", method: "OPTIONS").route == "404")
    let open = RouteLookUp([makeRoute("/*", methods: ["GET", "OPTIONS"])])
    #expect(open.find("*", host: "api.example.com", method: "OPTIONS") == Found(route: "/*"))
    #expect(open.find("*", method: "PUT").route == "405 GET, OPTIONS")
    #expect(RouteLookUp([]).find("*", method: "OPTIONS").route == "404")
  }

  @Test("T46 A request that no route takes is denied")
  func unmatched() {
    let table = RouteLookUp([makeRoute("/a", host: "api.example.com")])
    for path in ["/", "/b", "/a/", "/a/b", "/%61", "", "a"] {
      #expect(table.find(path, host: "api.example.com").route == "404", "\(path)")
    }
  }

  @Test("T47 A rule for GET opens neither HEAD nor another spelling of GET")
  func getIsNotHead() {
    let table = RouteLookUp([makeRoute("/open", methods: ["GET"]), makeRoute("/both", methods: ["GET", "HEAD"])])
    for method in ["HEAD", "get", "Get", "GETT", "GE", "", "POST"] {
      #expect(table.find("/open", method: method).route == "405 GET", "\(method)")
    }
    #expect(table.find("/both", method: "HEAD").route == "/both")
  }

  @Test("T47 A method override field changes nothing")
  func methodOverride() {
    let table = RouteLookUp([makeRoute("/a", methods: ["POST"])])
    let fields = [(name: "x-http-method-override", value: "POST")]
    #expect(table.find("/a", method: "GET", fields: fields).route == "405 POST")
  }

  @Test("A host of more than 254 bytes finds no route, not even one for all hosts")
  func longHost() {
    let table = RouteLookUp([makeRoute("/*", host: "*.example.com", name: "wild"), makeRoute("/*", name: "any")])
    #expect(table.find("/", host: String(repeating: "a", count: 242) + ".example.com").route == "wild")
    #expect(table.find("/", host: String(repeating: "a", count: 243) + ".example.com").route == "404")
    #expect(table.find("/", host: String(repeating: ".", count: 255)).route == "404")
    #expect(table.find("/", host: String(repeating: ".", count: 254)).route == "any")
  }

  @Test("Ten thousand segments are walked no further than a pattern goes")
  func manySegments() {
    let table = RouteLookUp([makeRoute("/a/a/a"), makeRoute("/{x}/{y}/{z}/b"), makeRoute("/a/*"), makeRoute("/")])
    let long = String(repeating: "/a", count: 10_000)
    #expect(table.find(long).route == "/a/*")
    #expect(table.find("/b" + long).route == "404")
    #expect(table.find(String(repeating: "/;", count: 10_000)).route == "/")
  }

  @Test("Any bytes as host, path and method end in an answer")
  func anyBytes() {
    var random = SeededGenerator(seed: 44)
    let table = RouteTable([
      makeRoute("/*", host: "*.e.x"), makeRoute("/{a}/b/*"), makeRoute("/a", methods: ["GET"]),
      makeRoute("/", host: "e.x"),
    ])
    var match = RouteMatch()
    var found = 0
    for _ in 0..<5_000 {
      let alphabet = Array("ab./;*ex\0\u{FF}".utf8)
      func bytes(_ countMax: Int) -> [UInt8] {
        (0..<Int.random(in: 0...countMax, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      }
      let (host, rest, method) = (bytes(12), bytes(24), Bool.random(using: &random) ? Array("GET".utf8) : bytes(3))
      let path = [UInt8(ascii: "/")] + rest
      let (segments, hasTrailingSlash) = RouteLookUp.cut(path)
      let result = table.match(
        host: host.span, path: path.span, segments: segments, hasTrailingSlash: hasTrailingSlash, method: method.span,
        fields: NoFields(), into: &match)
      if case .route(let index) = result {
        found += 1
        #expect((0..<4).contains(index))
        for range in match.captures + [match.rest] { #expect(range.upperBound <= path.count) }
      }
    }
    #expect(found > 50)
  }
}
