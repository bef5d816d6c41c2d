// `include`: several files mean what one file with their sections would mean, and each keeps its own lines.

import Testing

@testable import Configuration

@Suite("Included files")
struct InclusionTests {
  private static let head = """
    listeners: [{ address: 0.0.0.0:8080 }]
    issuers: { login: { issuer: "https://login.example.com/", audiences: [a] } }

    """
  private static let orders = """
    upstreams: { orders: { servers: ["10.0.0.1:9000"] } }
    routes:
      - { path: /orders/*, auth: login, upstream: orders }

    """
  private static let users = """
    upstreams: { users: { servers: ["10.0.0.2:9000"] } }
    routes:
      - { path: /users/*, auth: login, upstream: users }

    """

  private func main(_ include: String) -> String { "include: \(include)\n" + Self.head }

  private func messages(_ include: String, _ others: [String: String]) -> [String] {
    World.messages(main(include), others)
  }

  @Test("The sections of all files are one configuration, in the order of their names")
  func sections() throws {
    let whole = try #require(
      World.configuration(
        Self.head + """
          upstreams: { orders: { servers: ["10.0.0.1:9000"] }, users: { servers: ["10.0.0.2:9000"] } }
          routes:
            - { path: /orders/*, auth: login, upstream: orders }
            - { path: /users/*, auth: login, upstream: users }
          """))
    let files = ["routes.d/b.conf": Self.users, "routes.d/a.conf": Self.orders, "routes.d/c.off": "x", "b/c.conf": "x"]
    #expect(World.configuration(main("routes.d/*.conf"), files) == whole)
    #expect(World.configuration(main("[routes.d/a.conf, routes.d/b.conf]"), files) == whole)
    #expect(World.configuration(main("[\"routes.d/?.conf\"]"), files) == whole)
    let turned = World.configuration(main("[routes.d/b.conf, routes.d/a.conf]"), files)
    #expect(turned?.routes.map(\.name) == ["/users/*", "/orders/*"])
    let chain = ["a.conf": "include: b.conf\n" + Self.orders, "b.conf": Self.users]
    #expect(World.configuration(main("a.conf"), chain) == whole)
  }

  @Test("A message has the file and the lines that it is about")
  func places() {
    let bad = Self.users.replacing("auth: login", with: "auth: logn")
    #expect(
      messages("routes.d/*.conf", ["routes.d/a.conf": Self.orders, "routes.d/b.conf": bad]) == [
        "/etc/catraca/routes.d/b.conf:3:29: there is no issuer 'logn': did you mean 'login'?"
      ])
    let broken = messages("a.conf", ["a.conf": "routes:\n\t- x\n"])
    #expect(broken.first?.hasPrefix("/etc/catraca/a.conf:2:1: a tab") == true, "\(broken)")
    let same = messages("[a.conf, b.conf]", ["a.conf": Self.orders, "b.conf": "\n" + Self.orders])
    #expect(
      same.contains(
        "/etc/catraca/b.conf:2:14: the upstream 'orders' is also defined on line 1 of /etc/catraca/a.conf: remove one"))
    #expect(
      same.contains {
        $0.hasPrefix("/etc/catraca/b.conf:4:13: this route and the one on line 3 of /etc/catraca/a.conf")
      },
      "\(same)")
  }

  @Test("A section that is no list of things is written in one file")
  func singles() {
    let messages = messages("a.conf", ["a.conf": Self.orders + "limits: {}\nx-a: 1\n", "b.conf": ""])
    #expect(messages == [])
    let twice = World.messages(
      "x-a: 1\nlimits: {}\n" + main("a.conf"), ["a.conf": Self.orders + "limits: {}\nx-a: 1\n"])
    #expect(
      twice == ["/etc/catraca/a.conf:4:1: 'limits' also appears on line 2 of gateway.conf: write it in one file"])
  }

  @Test("Relative paths of a file begin in its own folder, whatever includes it")
  func relativePaths() {
    let others = [
      "teams/a/one.conf": "include: [more/two.conf]\naccess_log: { path: one.log }\n",
      "teams/a/more/two.conf": Self.orders + "state_directory: state\n",
    ]
    let configuration = World.configuration(main("teams/a/one.conf"), others)
    #expect(configuration?.stateDirectory == "/etc/catraca/teams/a/more/state")
    #expect(configuration?.accessLog.destination == .file("/etc/catraca/teams/a/one.log"))
  }

  @Test(
    "What cannot be included is an error at the place that names it",
    arguments: [
      ("none.conf", "1:10: the file '/etc/catraca/none.conf' cannot be read: No such file"),
      ("none.d/*.conf", "1:10: the folder '/etc/catraca/none.d' cannot be read: No such file"),
      ("gateway.conf", "1:10: a file includes itself: '/etc/catraca/gateway.conf, /etc/catraca/gateway.conf'"),
      ("./x/../gateway.conf", "1:10: a file includes itself"),
      ("\"*.conf\"", "1:10: '*.conf' matches the file that includes it: write a pattern for a folder of its own"),
      ("\"*/a.conf\"", "1:10: '*' and '?' are allowed in the name of a file only"),
      ("[a.conf, ./a.conf]", "1:19: the file '/etc/catraca/./a.conf' is included twice"),
      ("[a.conf, a.conf]", "1:19: 'a.conf' appears twice in 'include'"),
      ("{ a: b }", "1:10: 'include' must be text, not a mapping"),
      ("[[a]]", "1:11: a file must be text, not a list"),
      ("", "1:1: 'include' has no value: write one, or remove the key"),
      ("\"\"", "1:10: 'include' is empty"),
    ])
  func bad(include: String, message: String) {
    let all = messages(include, ["a.conf": Self.orders, "x/b.conf": ""])
    #expect(all.contains { $0.hasPrefix("gateway.conf:" + message) }, "\(all)")
  }

  @Test(
    "What an included file cannot be is an error in that file",
    arguments: [
      ("- path: /a", "1:1: an included file must be a mapping, not a list: write routes: and the list below"),
      ("", "1:1: the file is empty: write at least 'routes'"),
      ("# nothing\n", "1:1: the file is empty: write at least 'routes'"),
      ("server {\n  listen 80;\n}\n", "1:1: this looks like the format of nginx or Caddy"),
      ("upstream app;", "1:1: this looks like the format of nginx or Caddy"),
      ("route: []\n", "1:1: the file has no key 'route': did you mean 'routes'?"),
      ("include:\n", "1:1: 'include' has no value"),
      ("defaults:\n", "1:1: 'defaults' has no value"),
      ("include: gateway.conf\n", "1:10: a file includes itself: '/etc/catraca/gateway.conf, /etc/catraca/a.conf"),
    ])
  func badFiles(text: String, message: String) {
    let all = messages("a.conf", ["a.conf": text])
    #expect(all.contains { $0.hasPrefix("/etc/catraca/a.conf:" + message) }, "\(all)")
  }

  @Test("A pattern that matches nothing is a warning, and hidden files match none")
  func empty() {
    let routes = "routes: [{ path: /a, auth: login, redirect: { to: /b } }]\n"
    let others = ["routes.d/.a.conf": "x", "routes.d/a.conf~": "x"]
    #expect(
      World.messages(main("routes.d/*.conf") + routes, others) == [
        "gateway.conf:1:10: warning: no file matches 'routes.d/*.conf'"
      ])
  }

  @Test("Chains, numbers and sizes of files are bounded")
  func bounds() {
    var chain = Dictionary(uniqueKeysWithValues: (1...9).map { ("\($0).conf", "include: \($0 + 1).conf\n") })
    #expect(messages("1.conf", chain).contains { $0.contains("more than 8 files that include one another") })
    chain["7.conf"] = Self.orders
    #expect(messages("1.conf", chain) == [])
    let many = Dictionary(uniqueKeysWithValues: (1...1000).map { ("routes.d/\($0).conf", "x-a: 1\n") })
    #expect(messages("routes.d/*.conf", many).contains("gateway.conf:1:10: more than 1000 files"))
    let values = "x-a: [" + String(repeating: "1,", count: 300_000) + "]\n"
    let large = messages("[a.conf, b.conf]", ["a.conf": values, "b.conf": values])
    #expect(large.contains { $0.hasPrefix("/etc/catraca/b.conf:1:") && $0.contains("more than 500000 values") })
    let bytes = "x-a: 1\n#" + String(repeating: "x", count: 4 * 1024 * 1024 - 16)
    let heavy = Dictionary(uniqueKeysWithValues: (1...17).map { ("routes.d/\($0).conf", bytes) })
    #expect(messages("routes.d/*.conf", heavy).contains("gateway.conf:1:10: more than 64 MiB in all files"))
  }

  @Test("What was read is known for good files and bad ones, so that it can be watched")
  func sources() throws {
    let others = ["routes.d/a.conf": "include: more/b.conf\n", "routes.d/more/b.conf": Self.orders]
    let good = try World.read(main("routes.d/*.conf"), others).get()
    let files = ["routes.d/a.conf", "routes.d/more/b.conf"].map { "/etc/catraca/" + $0 }
    #expect(good.sources.files.keys.sorted() == files)
    #expect(good.sources.matches.map(\.key.folder) == ["/etc/catraca/routes.d"])
    #expect(good.sources.matches.map(\.value) == [[files[0]]])
    let without = ["routes.d/a.conf": "include: more/b.conf\n"]
    guard case .failure(let errors) = World.read(main("routes.d/*.conf"), without) else {
      Issue.record("taken")
      return
    }
    #expect(errors.sources == good.sources)
  }
}
