// One table of keys, and four other places that mention them: the schema, the reference, the example file and the
// defaults in the model. Each is compared with the table here, both ways where that means something.

import Foundation
import Testing

@testable import Configuration

@Suite("The contract")
struct ContractTests {
  static let schemaPath = "docs/gateway.schema.json"

  // MARK: Schema

  /// The schema's object for a mapping of the table: `path` is `routes[].auth` and the like.
  private func object(at path: String, in schema: [String: Any]) -> [String: Any]? {
    var here: [String: Any]? = schema
    for part in path.isEmpty ? [] : path.components(separatedBy: ".") {
      let name = part.replacingOccurrences(of: "[]", with: "").replacingOccurrences(of: "{}", with: "")
      here = (here?["properties"] as? [String: Any])?[name] as? [String: Any]
      if part.hasSuffix("[]") { here = here?["items"] as? [String: Any] }
      if part.hasSuffix("{}") { here = here?["additionalProperties"] as? [String: Any] }
      if let choices = here?["anyOf"] as? [[String: Any]] { here = choices.first { $0["properties"] != nil } }
    }
    return here
  }

  private func schema() throws -> [String: Any] {
    let text = try Tree.text(Self.schemaPath)
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test(
    "the schema has the keys of the table and no others, and closes every mapping",
    arguments: SettingTable.all.map(\.path))
  func schemaKeys(path: String) throws {
    let table = try #require(SettingTable.all.first { $0.path == path })
    let object = try #require(object(at: table.path, in: try schema()), "\(table.path)")
    let properties = try #require(object["properties"] as? [String: [String: Any]])
    #expect(Set(properties.keys) == Set(table.settings.map(\.name)), "\(table.path)")
    #expect(object["additionalProperties"] as? Bool == false, "\(table.path)")
    let required = Set(object["required"] as? [String] ?? [])
    let wanted = Set(table.settings.filter(\.isRequired).map(\.name))
    #expect(required == wanted, "\(table.path)")
  }

  @Test("the schema describes each key, refuses those of later versions, and states the table's defaults")
  func schemaDetails() throws {
    let schema = try schema()
    for table in SettingTable.all {
      let properties = try #require(object(at: table.path, in: schema)?["properties"] as? [String: [String: Any]])
      for setting in table.settings {
        let property = try #require(properties[setting.name])
        let place = Comment(rawValue: "\(table.path) \(setting.name)")
        #expect((property["description"] as? String)?.isEmpty == false, place)
        #expect((property["not"] as? [String: Any] != nil) == (setting.support == .later), place)
        // A switch of JSON is a number here.
        let switches = ["false": "0", "true": "1"]
        #expect(written(property["default"]) == setting.defaultText.map { switches[$0] ?? $0 }, place)
      }
    }
  }

  /// A default of the schema as an operator writes it.
  private func written(_ value: Any?) -> String? {
    switch value {
    case let list as [String]: "[" + list.joined(separator: ", ") + "]"
    case let text as String: text
    case let number as NSNumber: number.stringValue
    default: nil
    }
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

  @Test("the reference mentions every key and every default") func reference() throws {
    let text = try Tree.text("docs/CONFIGURATION.md")
    for table in SettingTable.all {
      for setting in table.settings {
        let line = text.split(separator: "\n").first { line in
          line.contains("`\(setting.name)`") && (setting.defaultText.map { line.contains("`\($0)`") } ?? true)
        }
        #expect(line != nil, "\(table.path) \(setting.name) \(setting.defaultText ?? "")")
        if setting.support == .later {
          let isMarked = text.split(separator: "\n").contains {
            $0.contains("`\(setting.name)`") && $0.contains("*not supported yet*")
          }
          #expect(isMarked, "\(table.path) \(setting.name)")
        }
      }
    }
    for field in AccessLogField.allCases { #expect(text.contains("`\(field.rawValue)`")) }
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
      let errors = World.messages(whole).filter { !$0.contains(": warning: ") }
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

  @Test("the example has every key, those of later versions in a comment that says so") func example() throws {
    let lines = try wholeExample().split(separator: "\n")
    for table in SettingTable.all {
      for setting in table.settings {
        let mentions = lines.filter { $0.contains("\(setting.name):") }
        switch setting.support {
        case .supported:
          let isLive = mentions.contains { !$0.drop { $0 == " " }.hasPrefix("#") }
          #expect(isLive, "\(table.path) \(setting.name)")
        case .later:
          #expect(
            mentions.contains { $0.contains("#") && $0.contains("not supported yet") }, "\(table.path) \(setting.name)")
        }
      }
    }
  }

  @Test("the example passes without a warning, with no file and no variable there") func exampleIsGood() throws {
    let text = try Tree.text("gateway.conf.example")
    let result = ConfigurationReader.read(
      text: text, file: "gateway.conf.example", folder: "/nowhere", environment: [:],
      readFile: { throw FileReadError(description: "read \($0)") })
    let loaded = try result.get()
    #expect(loaded.warnings == [])
    #expect(loaded.configuration.routes.count == 5)
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
      readFile: { Array(($0.hasSuffix("/admin") ? "a-secret-of-the-operator" : authority).utf8) }
    ).get()
    #expect(loaded.warnings == [])
    #expect(loaded.certificates.count == 6)
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
      let defaults = table.settings.compactMap { setting in
        setting.defaultText.map { "\(setting.name): \($0.contains(";") || $0.contains(":") ? "\"\($0)\"" : $0)" }
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
