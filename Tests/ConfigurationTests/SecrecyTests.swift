// What findings never show: values of variables, contents of files of secrets, queries and user information of URLs
// (T59, T89).

import Testing

@testable import Configuration

@Suite("Secrets in findings")
struct SecrecyTests {
  static let secret = "s3cr3t-Hunter2"

  private func messages(_ text: String, _ value: String) -> [String] {
    switch World.read(text, environment: ["SECRET": value, "OTHER": "other.example.com"]) {
    case .success(let loaded): loaded.warnings.map(\.description)
    case .failure(let errors): errors.diagnostics.map(\.description)
    }
  }

  private static let file = """
    workers: WORKERS
    state_directory: STATE
    trusted_proxies: [TRUSTED]
    dns: { servers: [DNS] }
    admin: { address: ADMIN, metrics: METRICS, hosts: [HOSTS], token: TOKEN }
    access_log: { path: LOG, format: FORMAT }
    limits: { header_size: SIZE, headers: NUMBER, header_timeout: TIME }
    listeners: [{ address: LISTEN, mode: MODE }]
    issuers:
      login: { issuer: ISSUER, audiences: [AUDIENCE, AUDIENCE], algorithms: [ALG], jwks: JWKS, leeway: LEEWAY, ca: CA }
    upstreams:
      orders:
        servers: [{ address: SERVER, weight: WEIGHT }, SERVER, SERVER]
        balance: BALANCE
        hash_on: HASH
        tls: { server_name: SNI, verify: VERIFY }
        health_check: { path: CHECK, status: [STATUS], interval: INTERVAL }
        retry: { on: [CAUSE], budget: BUDGET }
    routes:
      - host: HOST
        path: PATH
        methods: [METHOD]
        auth: { issuers: [NAME], scopes: [SCOPE], tokens_from: [SOURCE] }
        identity: { headers: { X-User: CLAIM }, strip: [STRIP] }
        cors: { origins: [ORIGIN], methods: [CORSMETHOD] }
        rate_limit: { requests: REQUESTS, per: PER, by: BY }
        rewrite: { strip_prefix: PREFIX, path: TEMPLATE }
        request_headers: { set: { X-Key: VALUE }, remove: [FIELD] }
        upstream: UPSTREAM
      - { path: /b, auth: AUTH, redirect: { to: TO, status: CODE } }

    """

  /// The words of ``file`` in capitals.
  private static var places: [String] {
    var words: Set<String> = []
    for word in file.split(whereSeparator: { !$0.isLetter }) where word.allSatisfy(\.isUppercase) && word.count > 1 {
      words.insert(String(word))
    }
    return words.sorted()
  }

  /// A value that is good enough for every place to be looked at, so that one place is wrong at a time.
  private static let good = [
    "WORKERS": "1", "STATE": "/s", "TRUSTED": "10.0.0.0/8", "DNS": "\"10.0.0.1:53\"", "ADMIN": "\"127.0.0.1:9901\"",
    "METRICS": "\"127.0.0.1:9902\"", "HOSTS": "a.example", "TOKEN": "0123456789abcdef", "LOG": "stdout",
    "FORMAT": "json", "SIZE": "32KiB", "NUMBER": "100", "TIME": "10s", "LISTEN": "\"0.0.0.0:80\"",
    "ISSUER": "\"https://a.example/\"", "AUDIENCE": "a", "ALG": "ES256", "JWKS": "\"https://a.example/k\"",
    "LEEWAY": "1s", "SERVER": "\"10.0.0.1:80\"", "WEIGHT": "1", "BALANCE": "round_robin", "HASH": "client_ip",
    "SNI": "a.example", "VERIFY": "true", "CHECK": "/", "STATUS": "200", "INTERVAL": "5s", "CAUSE": "timeout",
    "BUDGET": "20%", "HOST": "a.example", "PATH": "/a/*", "METHOD": "GET", "NAME": "login", "SCOPE": "a",
    "SOURCE": "authorization", "CLAIM": "sub", "STRIP": "X-B", "ORIGIN": "\"https://a.example\"", "CORSMETHOD": "GET",
    "REQUESTS": "5", "PER": "1s", "BY": "client_ip", "PREFIX": "/a", "TEMPLATE": "/b", "VALUE": "v", "FIELD": "X-C",
    "UPSTREAM": "orders", "AUTH": "public", "TO": "/c", "CODE": "308",
  ]

  private static func text(with place: String, as value: String) -> String {
    var result = ""
    var rest = file[...]
    while let start = rest.firstIndex(where: \.isUppercase) {
      result += rest[..<start]
      let word = rest[start...].prefix(while: \.isUppercase)
      rest = rest[word.endIndex...]
      result += word == place ? value : good[String(word)] ?? String(word)
    }
    return result + rest
  }

  @Test("T89 A variable's value is in no finding, wherever it is, whole or in pieces", arguments: places)
  func variables(place: String) async {
    var findings = 0
    for value in [
      Self.secret, "\(Self.secret):80", "https://\(Self.secret)/x?\(Self.secret)", "/\(Self.secret)/../x",
      "[\(Self.secret)",
      "\(Self.secret)\n", "https://me:\(Self.secret)@h/", "unix:\(Self.secret)", "*.\(Self.secret).x",
      "10s\(Self.secret)",
      "claim:\(Self.secret) x", "9999999999", "x{\(Self.secret)}", "7a9k", "A \(Self.secret)",
    ] {
      // Tests that wait for sockets run on the same few threads.
      await Task.yield()
      for written in ["\"${SECRET}\"", "\"x${SECRET}\"", "\"http://${OTHER}:${SECRET}/\""] {
        let found = messages(Self.text(with: place, as: written), value)
        findings += found.count
        for message in found {
          let shown = message.lowercased()
          for piece in ["s3cr3t", "hunter", "9999", "7a9k"] where shown.contains(piece) {
            Issue.record("\(place) = \(written) with \(value.debugDescription): \(message)")
          }
          #expect(!message.unicodeScalars.contains { Redaction.marks.contains($0) }, "\(message)")
        }
      }
    }
    #expect(findings > 0, "nothing was wrong at \(place)")
  }

  @Test("T89 A finding shows what is written in the file instead of what a variable holds")
  func written() {
    let found = messages(Self.text(with: "TIME", as: "\"${SECRET}\""), Self.secret)
    #expect(
      found.contains { $0.hasSuffix("'header_timeout' must be a duration with its unit, such as 10s, not '${SECRET}'") }
    )
    // What has nothing to do with it is shown as it is.
    let other = messages(Self.text(with: "VALUE", as: "\"${SECRET}\""), "line\nbreak \(Self.secret)")
    #expect(other.contains { $0.contains("'${SECRET}' is not a valid header value") }, "\(other)")
  }

  @Test("T89 What a file of a secret holds is in no finding, nor is it as the value of a header")
  func files() {
    for place in ["VALUE", "TOKEN"] {
      let found = World.messages(Self.text(with: place, as: "\"file:/run/secrets/two-lines\""))
      #expect(!found.isEmpty && !found.joined().contains("two"), "\(found)")
    }
  }

  @Test(
    "T89 Queries, fragments and user information of URLs are in no finding",
    arguments: [
      "https://h.example/k?key=SECRET x", "https://h.example/k?key=SECRET#x", "https://me:SECRET@h.example/k",
      "https://me:SE?CRET@h.example/k", "http://h.example/k?key=SECRET", "ftp://h.example/k?SECRET",
      "https://:x/k?SECRET",
      "https://h.example/k#SECRET",
    ])
  func urls(url: String) {
    let found = messages(Self.text(with: "JWKS", as: "'\(url)'"), "")
    #expect(found.contains { $0.contains("h.example") || $0.contains(":x") }, "\(found)")
    for message in found { #expect(!message.contains("SECRET") && !message.contains("CRET"), "\(message)") }
  }
}
