// What the schema, the reference and the example file promise: each example passes, and defaults that are written out
// mean the same as those that are left out. The Documents target makes the rest from the settings.

import Foundation
import Testing

@testable import Configuration

@Suite("The contract")
struct ContractTests {
  static let schemaPath = "docs/gateway.schema.json"

  // MARK: Schema

  private func schema() throws -> [String: Any] {
    let text = try Tree.text(Self.schemaPath)
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test("every $ref of the schema leads somewhere") func schemaReferences() throws {
    let schema = try schema()
    let names = try #require((schema["$defs"] as? [String: Any])?.keys)
    var count = 0
    func walk(_ value: Any) {
      if let list = value as? [Any] { list.forEach(walk) }
      guard let object = value as? [String: Any] else { return }
      if let reference = object["$ref"] as? String {
        count += 1
        #expect(names.contains(String(reference.dropFirst("#/$defs/".count))), "\(reference)")
      }
      object.values.forEach(walk)
    }
    walk(schema)
    #expect(count > 30)
  }

  // MARK: Reference and example

  @Test("the reference lists every field of the access log") func accessLogFields() throws {
    let text = try Tree.text("docs/CONFIGURATION.md")
    for field in AccessLogField.allCases { #expect(text.contains("`\(field.name)`"), "\(field.name)") }
  }

  @Test("each key has a sentence that ends", arguments: SettingTable.all.map(\.path))
  func sentences(path: String) throws {
    let table = try #require(SettingTable.all.first { $0.path == path })
    for key in table.keys { #expect(key.sentence.hasSuffix("."), "\(path) \(key.name): \(key.sentence)") }
  }

  @Test("the reference's smallest file, and each of its other examples beside it, passes")
  func referenceExamples() throws {
    let text = try Tree.text("docs/CONFIGURATION.md")
    let blocks = text.components(separatedBy: "```yaml\n").dropFirst().compactMap {
      $0.components(separatedBy: "```").first
    }
    #expect(blocks.count >= 7)
    for block in blocks {
      // Examples show one section each: the rest comes from the smallest file.
      let first = try #require(blocks.first)
      let own = Set(block.split(separator: "\n").filter { $0.first?.isLetter == true }.map { $0.prefix { $0 != ":" } })
      var rest: [Substring] = []
      var isTaken = false
      for line in first.split(separator: "\n") {
        if line.first?.isLetter == true { isTaken = !own.contains(line.prefix { $0 != ":" }) }
        if isTaken { rest.append(line) }
      }
      let whole = block + rest.joined(separator: "\n") + "\n"
      let files = ["routes.d/more.conf": "x-a: 1\n", "keys.yaml": "[]"]
      let errors = World.messages(whole, files).filter { !$0.contains(": warning: ") }
      #expect(errors.isEmpty, "\(whole)\(errors)")
    }
  }

  /// The example with its optional lines turned on, as its first lines say: without `#- `.
  private func wholeExample() throws -> String {
    let lines = try Tree.text("gateway.conf.example").split(separator: "\n", omittingEmptySubsequences: false)
    return lines.map { line in
      guard let match = line.prefixMatch(of: /( *)#- (.*)/) else { return String(line) }
      return String(match.1 + match.2)
    }.joined(separator: "\n")
  }

  @Test("the example has every key") func example() throws {
    let lines = try wholeExample().split(separator: "\n")
    for table in SettingTable.all {
      for key in table.keys {
        let mentions = lines.filter { $0.contains("\(key.name):") }
        let isLive = mentions.contains { !$0.drop { $0 == " " }.hasPrefix("#") }
        #expect(isLive, "\(table.path) \(key.name)")
      }
    }
  }

  /// Calls `body` for each key of the example that begins a line, with its record and the number of the line.
  private func forEachKey(of lines: [String], _ body: (SettingKey, SourceNode, Int) -> Void) throws {
    let reading = Reading(file: "", folder: "", environment: [:], readFile: { throw FileReadError(description: $0) })
    let root = try #require(YAMLSource.tree(of: lines.joined(separator: "\n"), reading: reading))
    func table(_ path: String) -> SettingTable? {
      SettingTable.all.first { $0.path == path }
        // What routes and the file share has one table.
        ?? SettingTable.all.first { $0.path == path.split(separator: ".").last.map(String.init) }
    }
    func walk(_ node: SourceNode, _ path: String) {
      switch node.content {
      case .scalar: break
      case .list(let items): for item in items { walk(item, path + "[]") }
      case .mapping(let entries):
        let table = table(path) ?? table(path.replacing("[]", with: ""))
        for entry in entries {
          guard let table else {
            walk(entry.value, path + "{}")
            continue
          }
          let line = lines[entry.keyPosition.line - 1]
          if let key = table.key(entry.key), line.prefix(entry.keyPosition.column - 1).allSatisfy({ " -".contains($0) })
          {
            body(key, entry.value, entry.keyPosition.line)
          }
          walk(entry.value, path.isEmpty ? entry.key : path + "." + entry.key)
        }
      }
    }
    walk(root, "")
  }

  /// The comment of a line, which may go on below it in the same column.
  private func comment(of number: Int, _ lines: [String]) -> String {
    guard let mark = lines[number - 1].firstRange(of: "  # ") ?? lines[number - 1].firstRange(of: " # ") else {
      return ""
    }
    let line = lines[number - 1]
    let column = line.distance(from: line.startIndex, to: mark.upperBound)
    var result = String(line[mark.upperBound...])
    for next in lines[number...] {
      guard next.count > column, next.prefix(column).allSatisfy({ " #".contains($0) }),
        next.prefix(column).hasSuffix("# ")
      else { break }
      result += " " + next.dropFirst(column)
    }
    return result
  }

  @Test("the example shows the default of each key, as its value or in its comment, and as the record has it")
  func exampleDefaults() throws {
    let lines = try wholeExample().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var count = 0
    try forEachKey(of: lines) { key, value, number in
      let comment = comment(of: number, lines)
      let expected = (key.defaultValue.map { "\($0)" } ?? key.otherwise ?? "none").filter { $0 != "`" }
      let shown: String?
      if let match = comment.firstMatch(of: #/[Dd]efault: (.*?)(?:\. |\.?$)/#) {
        shown = String(match.1)
      } else if let match = comment.firstMatch(of: #/(\S+) \(the default\)/#) {
        shown = String(match.1)
      } else if key.defaultValue == nil {
        shown = nil
      } else if case .list(let items) = value.content {
        shown = "[" + items.compactMap(\.text).joined(separator: ", ") + "]"
      } else {
        // A mapping stands for itself.
        shown = value.text
      }
      guard let shown else { return }
      count += 1
      #expect(shown == expected, "line \(number) of gateway.conf.example: \(lines[number - 1])")
    }
    #expect(count > 60)
  }

  @Test("the example passes without a warning, with no file and no variable there") func exampleIsGood() throws {
    let text = try Tree.text("gateway.conf.example")
    let result = ConfigurationReader.read(
      text: text, file: "gateway.conf.example", folder: "/nowhere", environment: [:],
      readFile: { throw FileReadError(description: "read \($0)") })
    let loaded = try result.get()
    #expect(loaded.warnings == [])
    #expect(loaded.configuration.routes.count == 6)
    let path = Tree.repository + "/gateway.conf.example"
    let onDisk = ConfigurationReader.load(path: path, environment: [:], checkCertificates: { _ in [] })
    #expect(try onDisk.get().configuration == loaded.configuration)
  }

  @Test("the example passes with its optional lines turned on, once the files exist") func wholeExampleIsGood()
    throws
  {
    let authority = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    let loaded = try ConfigurationReader.read(
      text: try wholeExample(), file: "gateway.conf.example", folder: "/nowhere", environment: [:],
      readFile: { path in
        let routes = "routes: [{ path: /more, auth: public, redirect: { to: /health } }]"
        let secrets = [
          "/run/secrets/admin": "a-secret-of-the-operator", "/run/secrets/collector": "a-secret-of-the-operator",
          "/run/secrets/token": "word", "/nowhere/operations.json": "{}", "/nowhere/keys.yaml": "[]",
          "/run/secrets/catraca": String(repeating: "secret", count: 6),
        ]
        return Array((path.hasSuffix(".conf") ? routes : secrets[path] ?? authority).utf8)
      }, listFolder: { _ in ["more.conf"] }
    ).get()
    // What is in memory is lost with it, and secrets wait for what they will seal.
    let known = ["'memory'", "secrets"]
    #expect(loaded.warnings.filter { warning in !known.contains { warning.message.contains($0) } } == [])
    #expect(loaded.certificates.count == 9)
    #expect(loaded.configuration.listeners.count == 4)
    #expect(loaded.configuration.issuers.first?.certificateAuthority != nil)
  }

  // MARK: Defaults

  @Test("a file that writes the defaults out means the same as one that leaves them out") func defaults() throws {
    let bare = """
      listeners:
        - { address: "0.0.0.0:8080", tls: { certificates: [{ certificate: a.crt, key: a.key }] } }
      issuers: { a: { issuer: "https://a.example/", audiences: [] } }
      upstreams: { a: { servers: [{ address: "10.0.0.1:80" }], tls: {} } }
      routes:
        - { path: /a, auth: { issuers: [a] }, identity: {}, upstream: a, websocket: {} }
        - { path: /b, auth: public, respond: { status: 200 } }
        - { path: /c, auth: public, redirect: { to: /d } }
      """
    func all(_ path: String) throws -> String {
      let table = try #require(SettingTable.all.first { $0.path == path })
      let defaults = table.keys.compactMap { key in
        key.defaultValue.map(\.description).map {
          "\(key.name): \($0.contains(";") || $0.contains(":") ? "\"\($0)\"" : $0)"
        }
      }
      #expect(!defaults.isEmpty, "\(path)")
      return defaults.joined(separator: ", ")
    }
    let written = """
      \(try all("").replacingOccurrences(of: ", ", with: "\n"))
      admin: { \(try all("admin")) }
      access_log: { \(try all("access_log")) }
      limits: { \(try all("limits")) }
      listeners:
        - address: "0.0.0.0:8080"
          tls: { certificates: [{ certificate: a.crt, key: a.key }], \(try all("listeners[].tls")) }
          \(try all("listeners[]"))
      issuers: { a: { issuer: "https://a.example/", audiences: [], \(try all("issuers{}")) } }
      upstreams:
        a:
          servers: [{ address: "10.0.0.1:80", \(try all("upstreams{}.servers[]")) }]
          tls: { \(try all("upstreams{}.tls")) }
          \(try all("upstreams{}").replacingOccurrences(of: ", ", with: "\n    "))
      routes:
        - path: /a
          auth: { issuers: [a], \(try all("routes[].auth")) }
          identity: { \(try all("routes[].identity")) }
          upstream: a
          websocket: { \(try all("routes[].websocket")) }
        - { path: /b, auth: public, respond: { status: 200, \(try all("routes[].respond")) } }
        - { path: /c, auth: public, redirect: { to: /d, \(try all("routes[].redirect")) } }
      """
    let short = try #require(World.configuration(bare), "\(World.messages(bare))")
    let long = try #require(World.configuration(written), "\(World.messages(written))")
    #expect(short == long)
  }
}
