// The small parsers automatically: addresses, URLs, suggestions, variables.

import Testing

@testable import Configuration

@Suite("Values")
struct ValueTests {
  @Test(
    "an IP literal is read as the system's resolver reads it",
    arguments: [
      ("0.0.0.0", 0, 0xFFFF_0000_0000), ("255.255.255.255", 0, 0xFFFF_FFFF_FFFF), ("10.1.2.3", 0, 0xFFFF_0A01_0203),
      ("::", 0, 0), ("::1", 0, 1), ("1::", 0x1_0000_0000_0000, 0), ("::ffff:10.1.2.3", 0, 0xFFFF_0A01_0203),
      ("2001:db8::8:800:200C:417A", 0x2001_0DB8_0000_0000, 0x0008_0800_200C_417A),
      ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008),
      ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000),
      ("1:2:3:4:5:6:10.1.2.3", 0x0001_0002_0003_0004, 0x0005_0006_0A01_0203),
    ] as [(String, UInt64, UInt64)])
  func literals(text: String, high: UInt64, low: UInt64) {
    let address = IPAddress(text)
    #expect(address?.high == high && address?.low == low)
  }

  @Test(
    "what is no IP literal is refused",
    arguments: [
      "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.", ".1.2.3", "1.2.3.4 ", "0x1.2.3.4", "a.b.c.d",
      ":", ":::",
      "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "::1%lo", "[::1]",
      "::1.2.3", "1.2.3.4::",
      "::1.2.3.4:5", "1:", ":1", "+1.2.3.4", "::+1",
    ])
  func noLiterals(text: String) { #expect(IPAddress(text) == nil) }

  @Test("loopback is 127.0.0.0/8, its mapped form and ::1, nothing else") func loopback() {
    for text in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
      #expect(IPAddress(text)?.isLoopback == true)
    }
    for text in ["126.255.255.255", "128.0.0.0", "::", "::2", "::127.0.0.1", "1::1", "0.0.0.0"] {
      #expect(IPAddress(text)?.isLoopback == false, "\(text)")
    }
  }

  @Test(
    "a block holds its addresses and no others",
    arguments: [
      ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::a00:0"]),
      ("192.168.1.7", ["192.168.1.7", "::ffff:192.168.1.7"], ["192.168.1.6", "192.168.1.8"]),
      ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "::fffe:ffff:ffff"]),
      ("fd00::/8", ["fd00::", "fdff:ffff::1"], ["fc00::", "fe00::", "10.0.0.1"]),
      ("2001:db8::/65", ["2001:db8::7fff:ffff:ffff:ffff"], ["2001:db8::8000:0:0:0"]),
      ("::1", ["::1"], ["::", "::2"]), ("::/0", ["::", "10.0.0.1", "ffff::"], []),
    ] as [(String, [String], [String])])
  func ranges(text: String, inside: [String], outside: [String]) throws {
    let file = """
      listeners: [{ address: "0.0.0.0:80" }]
      trusted_proxies: ["\(text)"]
      routes: [{ path: /a, auth: public, respond: { status: 200 } }]
      """
    let range = try #require(World.configuration(file)?.trustedProxies.first, "\(World.messages(file))")
    for address in inside.compactMap(IPAddress.init) { #expect(range.contains(high: address.high, low: address.low)) }
    for address in outside.compactMap(IPAddress.init) { #expect(!range.contains(high: address.high, low: address.low)) }
    #expect(inside.allSatisfy { IPAddress($0) != nil } && outside.allSatisfy { IPAddress($0) != nil })
  }

  @Test(
    "a misspelt name finds the one that was meant, a foreign one finds none",
    arguments: [
      ("listner", "listeners"), ("listeners ", "listeners"), ("Listeners", "listeners"),
      ("state-directory", "state_directory"),
      ("route", "routes"), ("isuers", "issuers"), ("upsteram", "upstreams"), ("limit", "limits"),
      ("acces_log", "access_log"),
      ("x", nil), ("", nil), ("database", nil), (String(repeating: "a", count: 1000), nil),
    ])
  func suggestions(name: String, expected: String?) {
    #expect(GatewayConfiguration.settings.table.nearest(to: name) == expected)
  }

  @Test("no key of the format is a typing error away from another one of its mapping without its own suggestion")
  func suggestionsAreExact() {
    for table in SettingTable.all {
      for key in table.keys { #expect(table.nearest(to: key.name) == key.name) }
    }
  }

  @Test(
    "variables are filled in once, and never read as YAML",
    arguments: [
      ("${A}", "one"), ("x${A}y${A}", "xoneyone"), ("$${A}", "${A}"), ("$$${A}", "$${A}"), ("$A", "$A"), ("$", "$"),
      ("${N:-}", ""),
      ("${N:-a:-b}", "a:-b"), ("${N:-$A}", "$A"), ("${E}", ""), ("${E:-d}", "d"), ("${Y}", "a: [b, ${A}]"),
      ("{}", "{}"),
    ])
  func variables(text: String, expected: String) {
    let reading = Reading(
      file: "f", folder: "", environment: ["A": "one", "E": "", "Y": "a: [b, ${A}]"],
      readFile: { throw FileReadError(description: $0) })
    #expect(reading.substituteVariables(in: text, at: .start)?.text == expected)
    #expect(reading.errorCount == 0)
  }

  @Test("relative paths begin in the file's folder") func folders() {
    let cases = [
      ("", "a", "a"), (".", "a", "a"), ("/etc", "a/b", "/etc/a/b"), ("/", "a", "/a"), ("etc", "/a", "/a"),
      ("x", "a", "x/a"),
    ]
    for (folder, path, expected) in cases {
      let reading = Reading(
        file: "f", folder: folder, environment: [:], readFile: { throw FileReadError(description: $0) })
      #expect(reading.resolve(path: path, at: .start) == expected)
    }
  }

  @Test("a block of addresses is written as an operator writes it") func blocks() {
    let texts = [
      "10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0", "fe80::1:0:0:1", "1:2:3:4:5:6:7:8", "1::",
      "1:0:2:3:4:5:6:7",
    ]
    let file = "trusted_proxies: [\(texts.map { "\"\($0)\"" }.joined(separator: ", "))]\n"
    let rest = "listeners: [{ address: 0.0.0.0:80 }]\nroutes: [{ path: /, auth: public, respond: { status: 200 } }]\n"
    #expect(World.configuration(file + rest)?.trustedProxies.map(\.description) == texts)
  }

  @Test("a secret loses its last line break, and only that") func secrets() {
    for (content, expected) in [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("", "")] {
      let reading = Reading(file: "f", folder: "/", environment: [:], readFile: { _ in Array(content.utf8) })
      #expect(reading.secret("file:/s", at: .start, isEmptyAllowed: true) == expected)
      #expect(reading.secret("file:/s", at: .start) == (expected.isEmpty ? nil : expected))
    }
  }
}
