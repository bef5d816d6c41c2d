// A configuration, whose routes, names and mistakes are as many as its file is long.

import Configuration
import Proxy

private let top = """
  listeners: [{ address: 127.0.0.1:0 }]
  issuers: { login: { issuer: https://login.example.com, audiences: [api], jwks: https://login.example.com/keys } }

  """

private func reading(_ make: @escaping (Int) -> String) -> (Int) -> () -> String {
  { size in
    let text = top + make(size)
    return {
      let result = ConfigurationReader.read(
        text: text, file: "gateway.conf", folder: "", environment: ["NAME": "value"],
        readFile: { throw CaseFailure(description: $0) })
      guard case .success(let loaded) = result else { return "refused" }
      return Snapshot(loaded.configuration, generation: 1).routes.isEmpty ? "empty" : "read"
    }
  }
}

private let upstream = "upstreams: { app: { servers: [127.0.0.1:9000] } }\n"

private func routes(_ size: Int, _ route: (Int) -> String) -> String {
  "routes:\n" + (0..<size).map { "  - { auth: login, upstream: app, \(route($0)) }\n" }.joined()
}

private func lines(_ size: Int, _ line: (Int) -> String) -> String {
  (0..<size).map { line($0) + "\n" }.joined()
}

var configurationCases: [WorkCase] {
  [
    WorkCase(
      "routes", from: 50,
      reading { size in
        upstream
          + routes(size) { number in
            "path: \"/orders-\(number)/{id}/*\", host: \"*.example.com\", methods: [GET, POST], "
              + "response_headers: { remove: [Server] }"
          }
      }),
    WorkCase(
      "routes of one path by their methods", from: 50,
      reading { size in upstream + routes(size) { "path: /, methods: [M\($0)]" } }
    ),
    WorkCase(
      "routes of one path by their headers", from: 50,
      reading { size in upstream + routes(size) { "path: /*, headers: { X-Tenant: t\($0) }" } }),
    WorkCase(
      "routes by their hosts", from: 50,
      reading { size in upstream + routes(size) { "path: /*, host: h\($0).example" } }),
    WorkCase(
      "upstreams that routes name", from: 50,
      reading { size in
        "upstreams:\n" + lines(size) { "  app-\($0): { servers: [127.0.0.1:9000] }" }
          + "routes:\n" + lines(size) { "  - { path: /p\($0), auth: login, upstream: app-\($0) }" }
      }),
    WorkCase(
      "variables", from: 50,
      reading { size in upstream + routes(size) { "path: \"/${NAME}/\($0)\", host: \"${HOST\($0):-h}.example\"" } }),
    WorkCase(
      "defaults", from: 50,
      reading { size in upstream + "defaults: { timeout: 3s }\n" + routes(size) { "path: /p\($0)" } }),
    WorkCase(
      "claims of a route", from: 50,
      reading { size in
        upstream + "routes:\n  - path: /*\n    upstream: app\n    auth:\n      issuers: [login]\n      claims:\n"
          + lines(size) { "        c\($0): yes" }
      }),
    WorkCase("unknown keys", reading { size in lines(size) { "unknwon-\($0): 1" } }),
    WorkCase(
      "unknown keys of routes", from: 50, reading { size in upstream + routes(size) { "path: /p\($0), metods: [GET]" } }
    ),
    WorkCase("%TAG lines", from: 200, { size in reading { _ in lines(size) { "%TAG !t\($0)! tag:x" } }(size) }),
    WorkCase(
      "aliases",
      reading { size in "x-a: &a [1]\nx-b:\n" + lines(size) { _ in "  - *a" } + upstream + routes(1) { _ in "path: /" }
      }),
  ]
}
