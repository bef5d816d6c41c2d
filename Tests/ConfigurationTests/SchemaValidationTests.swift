// The schema against real files, with Python's jsonschema where that is installed: what the reader takes, it takes.

import Foundation
import Testing

@testable import Configuration

@Suite("The schema, seen by a validator")
struct SchemaValidationTests {
  /// Reads YAML as version 1.2 has it (`no` is text) and prints one line a file: its name and how many errors.
  static let script = """
    import json, re, sys, yaml, jsonschema
    class Loader(yaml.SafeLoader): pass
    Loader.yaml_implicit_resolvers = {}
    def plain(kind, pattern, firsts):
        Loader.add_implicit_resolver('tag:yaml.org,2002:' + kind, re.compile(pattern), firsts)
    plain('bool', '^(true|false|True|False|TRUE|FALSE)$', list('tTfF'))
    plain('int', '^-?[0-9]+$', list('-0123456789'))
    plain('null', '^(~|null|Null|NULL|)$', ['~', 'n', 'N', ''])
    schema = json.load(open(sys.argv[1]))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sys.argv[2:]:
        text = open(path, encoding='utf-8').read().split('\\n' + '-' * 40 + '\\n')[0]
        errors = list(validator.iter_errors(yaml.load(text, Loader)))
        print(path.split('/')[-1], len(errors), errors[0].message[:200].replace('\\n', ' ') if errors else '')
    """

  static func python(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }

  static let isAvailable = (try? python(["-c", "import jsonschema, yaml"]).status) == 0

  @Test(
    "it takes the example and every case that the reader takes",
    .enabled(if: isAvailable, "python3 with jsonschema and yaml is not installed"))
  func good() throws {
    let cases = try CaseTests.names.filter { name in
      let input = try Tree.text(CaseTests.folder + "/" + name).components(separatedBy: CaseTests.separator)[0]
      return World.configuration(input) != nil
    }
    #expect(cases.count >= 10)
    let paths = [Tree.repository + "/gateway.conf.example"] + cases.map { CaseTests.folder + "/" + $0 }
    let result = try Self.python(["-c", Self.script, Tree.repository + "/" + ContractTests.schemaPath] + paths)
    #expect(result.status == 0, "\(result.output)")
    for line in result.output.split(separator: "\n") { #expect(line.split(separator: " ")[1] == "0", "\(line)") }
    #expect(result.output.split(separator: "\n").count == paths.count)
  }

  @Test(
    "it refuses cases that are wrong in what a schema can see",
    .enabled(if: isAvailable, "python3 with jsonschema and yaml is not installed"),
    arguments: [
      "unknown-keys", "wrong-types", "missing-keys", "null-values", "numbers", "listeners",
      "listener-tls",
      "upstream-tls", "websocket", "cors", "rate-limits",
    ])
  func bad(name: String) throws {
    let result = try Self.python([
      "-c", Self.script, Tree.repository + "/" + ContractTests.schemaPath, CaseTests.folder + "/\(name).conf",
    ])
    #expect(result.status == 0, "\(result.output)")
    #expect((result.output.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) > 0, "\(result.output)")
  }
}
