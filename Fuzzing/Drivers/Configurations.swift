// Configuration files: an error at a place in the file, or a model that the gateway can run.

import Bytes
import Configuration
import Proxy

@_cdecl("fuzz_configurations")
func libFuzzConfigurations(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzConfigurations)
}

func fuzzConfigurations(_ input: [UInt8]) throws {
  guard let text = String(validating: input, as: UTF8.self) else { return }
  let reading = ConfigurationReader.read(
    text: text, file: "gateway.conf", folder: "/etc", environment: ["NAME": "value", "EMPTY": ""],
    readFile: { path in
      if path.hasSuffix(".json") { return Array(#"{"keys":[]}"#.utf8) }
      if path.hasSuffix(".html") { return Array("<p>{code}".utf8) }
      throw Fault("not there")
    })
  switch reading {
  case .failure(let errors):
    try expect(errors.diagnostics.contains { $0.severity == .error }, "refused without an error")
    try check(errors.diagnostics, text)
  case .success(let loaded):
    try check(loaded.warnings, text)
    try expect(!loaded.configuration.listeners.isEmpty && !loaded.configuration.routes.isEmpty, "nothing to do")
    try ask(loaded.configuration)
  }
}

/// Each diagnostic is one line, and its place is in the file.
private func check(_ diagnostics: [Diagnostic], _ text: String) throws {
  var lengths = [0]
  var wasReturn = false
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\n" where wasReturn: break
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": lengths.append(0)
    default: lengths[lengths.count - 1] += 1
    }
    wasReturn = scalar == "\r"
  }
  for diagnostic in diagnostics {
    let position = diagnostic.position
    try expect(
      (1...lengths.count).contains(position.line) && (1...lengths[position.line - 1] + 1).contains(position.column),
      "a place out of the file: \(diagnostic)")
    try expect(
      !diagnostic.message.isEmpty && !diagnostic.message.unicodeScalars.contains { $0.value < 0x20 },
      "a message that is no line: \(diagnostic)")
  }
}

/// What was taken can be run: a request gets an answer, or waits for one.
private func ask(_ configuration: GatewayConfiguration) throws {
  // LIMIT: tables for more keys of rate limits take more time to make than the fuzzer has.
  if configuration.rateLimits.count > 4 { return }
  let gateway = FuzzGateway(Snapshot(configuration, generation: 1))
  let client = gateway.connect(from: "192.0.2.7")
  gateway.send(Array("GET /a/b?c=d HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n\r\n".utf8), on: client)
  for server in gateway.servers {
    gateway.send(Array("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.".utf8), on: server)
  }
  gateway.wait(seconds: 100)
  try gateway.endAll()
}
