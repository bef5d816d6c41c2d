// Which route takes a request.

import Bytes
import Configuration
import TestBasics
import Testing

@testable import Proxy

@Suite("Route table")
struct RouteTableTests {
  @Test(
    "A path finds its pattern, with captures and rest",
    arguments: [
      ("/", Found(route: "/")),
      ("/orders", Found(route: "/orders/*")),
      ("/orders/", Found(route: "/orders/*")),
      ("/orders/1/items", Found(route: "/orders/*", rest: "1/items")),
      ("/orders/1/items/", Found(route: "/orders/*", rest: "1/items/")),
      ("/ordersx", Found(route: "404")),
      ("/a", Found(route: "/a")),
      ("/a/", Found(route: "/a/")),
      ("/A", Found(route: "404")),
      ("/b", Found(route: "/b")),
      ("/b/", Found(route: "404")),
      ("/users/42", Found(route: "/users/{id}", captures: ["42"])),
      ("/users/42/", Found(route: "404")),
      ("/users/", Found(route: "404")),
      ("/users/me", Found(route: "/users/me")),
      ("/users/42/posts/7", Found(route: "/users/{id}/posts/{post}", captures: ["42", "7"])),
      ("/users/me/posts/7", Found(route: "/users/{id}/posts/{post}", captures: ["me", "7"])),
      ("/users/42/files/x/y", Found(route: "/users/{id}/files/*", captures: ["42"], rest: "x/y")),
      ("/users/42;v=1/posts/7;w", Found(route: "/users/{id}/posts/{post}", captures: ["42", "7"])),
    ])
  func paths(_ path: String, _ expected: Found) {
    let table = RouteLookUp([
      makeRoute("/users/{id}"), makeRoute("/orders/*"), makeRoute("/a"), makeRoute("/a/"), makeRoute("/b"),
      makeRoute("/users/me"), makeRoute("/users/{id}/posts/{post}"), makeRoute("/users/{id}/files/*"), makeRoute("/"),
    ])
    #expect(table.find(path) == expected)
  }

  @Test("Literal goes before parameter, parameter before prefix, segment by segment, whatever the order in the file")
  func specificity() {
    let routes = [
      "/*", "/{x}/*", "/a/*", "/a/{x}", "/a/b", "/{x}/b", "/a/{x}/c", "/a/b/*", "/{x}/{y}/c", "/a/b/",
    ].map { makeRoute($0) }
    let expected = [
      "/": "/*", "/z": "/{x}/*", "/z/q": "/{x}/*", "/z/b": "/{x}/b", "/z/q/c": "/{x}/{y}/c", "/a": "/a/*",
      "/a/z": "/a/{x}", "/a/b": "/a/b", "/a/b/": "/a/b/", "/a/b/z": "/a/b/*", "/a/b/c": "/a/b/*", "/a/z/c": "/a/{x}/c",
      "/a/z/d": "/a/*", "/z/q/c/d": "/{x}/*",
    ]
    for order in [routes, routes.reversed()] {
      let table = RouteLookUp(order)
      for (path, name) in expected { #expect(table.find(path).route == name, "\(path)") }
    }
  }

  @Test("A dead end below a literal goes back to the parameter beside it, and to prefixes further up")
  func backtracking() {
    let table = RouteLookUp([
      makeRoute("/a/b/c/d"), makeRoute("/a/{x}/c/e"), makeRoute("/{y}/b/c/f"), makeRoute("/a/*"),
      makeRoute("/{p}/{q}/{r}/{s}/end"),
    ])
    #expect(table.find("/a/b/c/d").route == "/a/b/c/d")
    #expect(table.find("/a/b/c/e") == Found(route: "/a/{x}/c/e", captures: ["b"]))
    #expect(table.find("/a/b/c/g") == Found(route: "/a/*", rest: "b/c/g"))
    // A literal first segment is more specific than a parameter, even where it only leads to a prefix.
    #expect(table.find("/a/b/c/f") == Found(route: "/a/*", rest: "b/c/f"))
    #expect(table.find("/z/b/c/f") == Found(route: "/{y}/b/c/f", captures: ["z"]))
    #expect(table.find("/z/b/c/f/end") == Found(route: "/{p}/{q}/{r}/{s}/end", captures: ["z", "b", "c", "f"]))
  }

  @Test(
    "An exact host goes before the longest wildcard, that before shorter ones, and those before routes without host")
  func hosts() {
    let routes = [
      makeRoute("/*", name: "any"), makeRoute("/*", host: "*.example.com", name: "short"),
      makeRoute("/*", host: "*.api.example.com", name: "long"),
      makeRoute("/*", host: "v1.api.example.com", name: "exact"),
      makeRoute("/*", host: "[::1]", name: "v6"),
    ]
    let expected = [
      "v1.api.example.com": "exact", "V1.API.Example.COM": "exact", "v1.api.example.com.": "exact",
      "v2.api.example.com": "long", "a.b.api.example.com": "long", "api.example.com": "short", "x.example.com": "short",
      "example.com": "any", ".example.com": "any", "xexample.com": "any", "": "any", "other": "any", "[::1]": "v6",
    ]
    for order in [routes, routes.reversed()] {
      let table = RouteLookUp(order)
      for (host, name) in expected { #expect(table.find("/x", host: host).route == name, "\(host)") }
    }
  }

  @Test("A host without a route for the path falls back to less specific hosts")
  func hostFallback() {
    let table = RouteLookUp([
      makeRoute("/only", host: "a.b.example.com", name: "exact"),
      makeRoute("/b", host: "*.b.example.com", name: "long"),
      makeRoute("/short", host: "*.example.com", name: "short"), makeRoute("/any", name: "any"),
    ])
    let host = "a.b.example.com"
    #expect(table.find("/only", host: host).route == "exact")
    #expect(table.find("/b", host: host).route == "long")
    #expect(table.find("/short", host: host).route == "short")
    #expect(table.find("/any", host: host).route == "any")
    #expect(table.find("/none", host: host).route == "404")
    #expect(table.find("/only", host: "c.b.example.com").route == "404")
  }

  @Test("Without a route for all hosts, another host finds nothing")
  func noAnyHost() {
    let table = RouteLookUp([makeRoute("/*", host: "api.example.com")])
    #expect(table.find("/", host: "evil.example").route == "404")
    #expect(table.find("/").route == "404")
    #expect(RouteLookUp([]).find("/", host: "api.example.com").route == "404")
  }

  @Test("More header conditions go before fewer, and all must hold")
  func headers() {
    let table = RouteLookUp([
      makeRoute("/a", name: "plain"), makeRoute("/a", headers: ["x-v": "2"], name: "one"),
      makeRoute("/a", headers: ["x-v": "2", "x-beta": "yes"], name: "two"),
    ])
    #expect(table.find("/a").route == "plain")
    #expect(table.find("/a", fields: [("x-v", "2")]).route == "one")
    #expect(table.find("/a", fields: [("x-v", "3")]).route == "plain")
    #expect(table.find("/a", fields: [("x-beta", "yes")]).route == "plain")
    #expect(table.find("/a", fields: [("x-beta", "yes"), ("x-v", "2")]).route == "two")
    #expect(table.find("/a", fields: [("x-v", "2"), ("x-v", "2")]).route == "plain")
  }

  @Test("T77: A path's other methods are its own: only a route of the same path takes them, and no less specific one")
  func methods() {
    let table = RouteLookUp([
      makeRoute("/a", name: "any"), makeRoute("/a", methods: ["GET", "PURGE"], name: "named"),
      makeRoute("/a/b", methods: ["POST"], name: "deep"), makeRoute("/a/*", name: "prefix"),
      makeRoute("/v", methods: ["GET"], headers: ["x-v": "2"], name: "headed"),
    ])
    #expect(table.find("/a").route == "named")
    #expect(table.find("/a", method: "PURGE").route == "named")
    #expect(table.find("/a", method: "POST").route == "any")
    #expect(table.find("/a", method: "get").route == "any")
    #expect(table.find("/a/b", method: "POST").route == "deep")
    for method in ["GET", "post", "Post", "OPTIONS", "PROPFIND", ""] {
      #expect(table.find("/a/b", method: method).route == "405 POST", "\(method)")
    }
    #expect(table.find("/a/c", method: "GET") == Found(route: "prefix", rest: "c"))
    #expect(table.find("/v", method: "POST", fields: [("x-v", "2")]).route == "405 GET")
    #expect(table.find("/v", method: "GET").route == "404")
  }

  @Test(
    "T77: What a route of a name, a parameter or a prefix leaves of its methods falls to no other path and no other host"
  )
  func leftMethods() {
    let table = RouteLookUp([
      makeRoute("/admin/*", methods: ["GET"], name: "admin"), makeRoute("/users/{id}", methods: ["GET"], name: "user"),
      makeRoute("/users/me", methods: ["PUT"], name: "me"),
      makeRoute("/b", host: "h.example", methods: ["GET"], name: "b"),
      makeRoute("/b", name: "other"), makeRoute("/f", methods: ["GET"], headers: ["x-v": "2"], name: "field"),
      makeRoute("/f", methods: ["POST"], name: "plain"), makeRoute("/*", name: "all"),
    ])
    #expect(table.find("/admin/x", method: "DELETE").route == "405 GET")
    #expect(table.find("/admin", method: "DELETE").route == "405 GET")
    #expect(table.find("/users/7", method: "DELETE").route == "405 GET")
    #expect(table.find("/users/me", method: "GET").route == "405 PUT")
    #expect(table.find("/b", host: "h.example", method: "POST").route == "405 GET")
    #expect(table.find("/b", host: "x.example", method: "POST").route == "other")
    #expect(table.find("/f", method: "GET", fields: [("x-v", "2")]).route == "field")
    #expect(table.find("/f", method: "POST", fields: [("x-v", "2")]).route == "plain")
    #expect(table.find("/f", method: "PUT", fields: [("x-v", "2")]).route == "405 GET, POST")
    #expect(table.find("/f", method: "GET").route == "405 POST")
    #expect(table.find("/elsewhere", method: "DELETE").route == "all")
  }

  @Test("Of two equal routes the first in the file wins")
  func equalRoutes() {
    let table = RouteLookUp([
      makeRoute("/{a}", name: "first"), makeRoute("/{b}", name: "second"),
    ])
    #expect(table.find("/x").route == "first")
    #expect(table.table.captureIndex(of: "a", route: 0) == 0)
    #expect(table.table.captureIndex(of: "a", route: 1) == nil)
  }

  @Test("Allow names the methods of every route of the path that would take the request but for its method, once each")
  func allow() {
    let table = RouteLookUp([
      makeRoute("/a", methods: ["GET", "POST"], name: "1"), makeRoute("/{x}", methods: ["DELETE", "GET"], name: "2"),
      makeRoute("/a", methods: ["TRACE"], headers: ["x-v": "2"], name: "3"),
    ])
    #expect(table.find("/a", method: "PATCH").route == "405 GET, POST")
    #expect(table.find("/a", method: "PATCH", fields: [("x-v", "2")]).route == "405 GET, POST, TRACE")
    #expect(table.find("/b", method: "PATCH").route == "405 DELETE, GET")
  }

  @Test("Seventy method names are distinguished")
  func manyMethods() {
    let names = (0..<70).map { "M\($0)" }
    let table = RouteLookUp(names.map { makeRoute("/a", methods: [$0], name: $0) })
    for name in names { #expect(table.find("/a", method: name).route == name) }
    #expect(table.find("/a", method: "M70").route == "405 " + names.sorted().joined(separator: ", "))
  }

  @Test("A capture's number follows the pattern, and a used match is as good as a new one")
  func reuse() {
    let table = RouteLookUp([makeRoute("/{a}/x/{b}"), makeRoute("/p/*"), makeRoute("/m", methods: ["GET"])])
    #expect(table.table.captureIndex(of: "a", route: 0) == 0)
    #expect(table.table.captureIndex(of: "b", route: 0) == 1)
    #expect(table.table.captureIndex(of: "c", route: 0) == nil)
    #expect(table.table.captureIndex(of: "a", route: 9) == nil)
    var match = RouteMatch()
    let paths = ["/1/x/2", "/p/q/r", "/m", "/none/none", "/p", "/3/x/4"]
    for path in paths + paths.reversed() {
      #expect(table.find(path, using: &match) == table.find(path))
      #expect(table.find(path, method: "PUT", using: &match) == table.find(path, method: "PUT"))
    }
  }

  @Test("Any table and path give what a slow search over all routes gives")
  func againstModel() {
    var random = SeededGenerator(seed: 20_261_123)
    let words = ["a", "b", "c", "{x}"]
    for _ in 0..<400 {
      var seen: Set<String> = []
      var routes: [Route] = []
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        let depth = Int.random(in: 0...4, using: &random)
        var path = (0..<depth).map { _ in "/" + (words.randomElement(using: &random) ?? "a") }.joined()
        path += depth == 0 ? "/" : ["", "/", "/*"].randomElement(using: &random) ?? ""
        if depth == 0, Bool.random(using: &random) { path = "/*" }
        let methods = Bool.random(using: &random) ? [] : ["GET"]
        if seen.insert(path + methods.joined()).inserted { routes.append(makeRoute(path, methods: methods)) }
      }
      let table = RouteLookUp(routes)
      for _ in 0..<20 {
        let depth = Int.random(in: 0...5, using: &random)
        let parts = (0..<depth).map { _ in "/" + (["a", "b", "c", "d"].randomElement(using: &random) ?? "a") }
        let path = parts.joined() + (depth == 0 || Bool.random(using: &random) ? "/" : "")
        for method in ["GET", "HEAD"] {
          #expect(
            table.find(path, method: method).route == RouteModel.find(path, method: method, in: routes),
            "\(routes.map(\.name)) \(method) \(path)")
        }
      }
    }
  }
}

/// The rule of precedence written down a second time, slow and plain.
private enum RouteModel {
  static func find(_ path: String, method: String, in routes: [Route]) -> String {
    let parts = path.split(separator: "/").map(String.init)
    let hasSlash = path.hasSuffix("/")
    let fitting = routes.enumerated().filter { takes($0.element.path, parts, hasSlash) }
    let ranks = fitting.map { rank($0.element.path, parts.count) }
    guard let first = ranks.min(by: { $0.lexicographicallyPrecedes($1) }) else { return "404" }
    let ofPath = zip(fitting, ranks).filter { $0.1 == first }.map(\.0)
    let allowed = ofPath.filter { $0.element.methods.isEmpty || $0.element.methods.contains(method) }
    if allowed.isEmpty { return "405 GET" }
    let best = allowed.min { a, b in
      if a.element.methods.isEmpty != b.element.methods.isEmpty { return b.element.methods.isEmpty }
      return a.offset < b.offset
    }
    return best?.element.name ?? ""
  }

  private static func takes(_ pattern: PathPattern, _ parts: [String], _ hasSlash: Bool) -> Bool {
    if pattern.isPrefix ? parts.count < pattern.segments.count : parts.count != pattern.segments.count { return false }
    if !pattern.isPrefix, (pattern.hasTrailingSlash || parts.isEmpty) != hasSlash { return false }
    return zip(pattern.segments, parts).allSatisfy { segment, part in
      if case .literal(let text) = segment { text == part } else { true }
    }
  }

  /// A digit a segment: 0 literal, 1 parameter, 2 taken by `/*`. The end of the path again 0 or 2.
  private static func rank(_ pattern: PathPattern, _ count: Int) -> [Int] {
    let own = pattern.segments.map { segment in
      if case .literal = segment { 0 } else { 1 }
    }
    return own + [pattern.isPrefix ? 2 : 0]
  }
}
