// Lines and columns: both from 1, columns in characters (Unicode scalars), right in every shape that YAML knows.

import Testing

@testable import Configuration

@Suite("Positions")
struct PositionTests {
  private func position(_ text: String) -> String? {
    guard case .failure(let errors) = World.read(text), let first = errors.diagnostics.first else { return nil }
    return "\(first.position.line):\(first.position.column)"
  }

  static let rest = "\nroutes: [{ path: /a, auth: public, respond: { status: 200 } }]\n"

  @Test(
    "an error points at the value, whatever surrounds it",
    arguments: [
      ("workers: x", "1:10"),
      ("workers:   x", "1:12"),
      ("workers: 'x'", "1:10"),
      ("workers: \"x\"", "1:10"),
      ("workers: \"x\\\n  y\"", "1:10"),
      ("workers:\n  x", "2:3"),
      ("workers: |\n  x", "1:10"),
      ("workers: &a x", "1:10"),
      ("workers: !!str x", "1:10"),
      ("# é\nworkers: x", "2:10"),
      ("\n\n  \nworkers: x", "4:10"),
      ("limits: { headers: x }", "1:20"),
      ("limits: {headers: x}", "1:19"),
      ("limits: { \"headers\": 'x' }", "1:22"),
      ("limits: {\n  headers:\n    x }", "3:5"),
      ("trusted_proxies: [10.0.0.1, x]", "1:29"),
      ("trusted_proxies: ['10.0.0.1',\n  x]", "2:3"),
      ("trusted_proxies:\n- 10.0.0.1\n- x", "3:3"),
      ("trusted_proxies: ['é😀', 10.0.0.1]", "1:19"),
      ("trusted_proxies: [10.0.0.1, # é\n x]", "2:2"),
      ("limits: { headers: 100, body_size: 'é', connections: 1 }", "1:36"),
      ("\"limits\": {\"headers\": \"😀\", \"connections\": 1}", "1:23"),
      ("'é': 1", "1:1"), ("workers: *x", "1:10"), ("workers: *.x", "1:10"),
    ])
  func values(text: String, expected: String) {
    let whole = text + "\nlisteners: [{ address: 0.0.0.0:80 }]" + Self.rest
    let windows = whole.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(position(whole) == expected)
    #expect(position(windows.joined(separator: "\r\n")) == expected, "with CR LF")
    #expect(position("\u{FEFF}" + windows.joined(separator: "\n")) == expected, "behind a byte order mark")
  }

  @Test("an alias's error points at the value that it refers to") func alias() {
    let text = "limits: { headers: &n x }\nworkers: *n\nlisteners: [{ address: 0.0.0.0:80 }]" + Self.rest
    #expect(position(text) == "1:20")
  }

  @Test(
    "what is not YAML is reported at its position",
    arguments: [
      ("a: [1, 2", "1:9"), ("a: 'x", "1:4"), ("a: b: c", "1:5"), ("a:\n\t- b", "2:1"),
      ("a: @x", "1:4"),
      ("a: 1\n---\nb: 2", "2:1"), ("a: \u{1}", "1:4"), ("é\n: \u{0}", "2:3"), ("a: \"\\ud800\"", "1:7"), ("", "1:1"),
      ("# only\n", "1:1"), ("---\n...\n", "1:1"), ("[1]", "1:1"), ("text", "1:1"), ("a: %x", "1:4"),
      ("a: &x", "1:1"),
    ])
  func syntax(text: String, expected: String) {
    #expect(position(text) == expected, "\(World.messages(text))")
  }

  @Test("findings come sorted by place, each once") func sorted() {
    guard case .failure(let errors) = World.read("zz: 1\nworkers: x\nlimits: { headers: x, body_size: y }\n") else {
      Issue.record("taken")
      return
    }
    let positions = errors.diagnostics.map(\.position)
    #expect(positions == positions.sorted())
    #expect(positions.count >= 5)
    #expect(Set(errors.diagnostics).count == errors.diagnostics.count)
  }

  @Test("bytes that are not UTF-8 are reported at their position") func invalidBytes() {
    #expect(
      ConfigurationReader.firstInvalidPosition([0x61, 0x0A, 0xC3, 0xA9, 0x62, 0xFF, 0x63])
        == SourcePosition(line: 2, column: 3))
  }

  @Test("a file that is not there is an error, not a trap") func missingFile() {
    let result = ConfigurationReader.load(
      path: "/nonexistent/gateway.conf", environment: [:], checkCertificates: { _ in [] })
    guard case .failure(let errors) = result else {
      Issue.record("taken")
      return
    }
    #expect(errors.description == "/nonexistent/gateway.conf:1:1: cannot be read: No such file or directory")
  }
}
