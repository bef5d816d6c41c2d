// Documents of others: JSON, key sets, answers of name servers.

import Bytes
import Cryptography
import JSON
import Tokens

@testable import ControlPlane

private func json(_ make: @escaping (Int) -> String) -> (Int) -> () -> String {
  { size in
    let bytes = Array(make(size).utf8)
    return {
      let document = try? JSONDocument(bytes, limits: JSONLimits(depthMax: 10_000, nodeCountMax: 100_000))
      return document == nil ? "refused" : "read"
    }
  }
}

private func joined(_ size: Int, _ element: (Int) -> String) -> String {
  (0..<size).map(element).joined(separator: ",")
}

var documentCases: [WorkCase] {
  [
    WorkCase("names of a JSON object", json { "{\(joined($0) { "\"n\($0)\":0" })}" }),
    WorkCase("names of a JSON object with escapes", json { "{\(joined($0) { "\"\\n\($0)\":0" })}" }),
    WorkCase(
      "long names that begin alike",
      json { size in
        "{\(joined(size) { "\"\(String(repeating: "a", count: 40))\\u0061\($0)\":0" })}"
      }),
    WorkCase("small JSON objects with escaped names", json { "[\(joined($0) { "{\"\\n\($0)\":0,\"\\nb\":0}" })]" }),
    WorkCase(
      "JSON objects of eight names",
      json { size in
        "[\(joined(size) { _ in "{\(joined(8) { "\"\\n\($0)\":0" })}" })]"
      }),
    WorkCase(
      "JSON arrays in one another", json { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }),
    WorkCase(
      "JSON objects in one another",
      json {
        String(repeating: "{\"a\":", count: $0) + "0" + String(repeating: "}", count: $0)
      }),
    WorkCase("escapes of a JSON string", json { "\"\(String(repeating: "\\u00e9\\n", count: $0))\"" }),
    WorkCase("digits of a JSON number", json { "1\(String(repeating: "0", count: $0)).5e3" }),
    WorkCase("JSON numbers", json { "[\(joined($0) { "\($0).25" })]" }),
    WorkCase("white space of JSON", json { "[\(String(repeating: " \n", count: $0))]" }),
    WorkCase("keys of a key set", from: 20) { size in
      let key = try SigningKey.generate(.edwards(.ed25519)).publicKey
      let bytes = KeySetWriter.encode((0..<size).map { (id: "k\($0)", key: key, algorithm: nil) })
      return { try KeySet.parse(bytes.span, algorithms: [.edDSA]).keys.count == size ? "read" : "refused" }
    },
    WorkCase("members of a key", from: 50) { size in
      let key = try SigningKey.generate(.edwards(.ed25519)).publicKey
      let text = String(decoding: KeySetWriter.encode([(id: "k", key: key, algorithm: nil)]), as: UTF8.self)
      let more = "{\(joined(size) { "\"m\($0)\":0" }),"
      let bytes = Array(text.replacing("[{", with: "[\(more)").utf8)
      return { try KeySet.parse(bytes.span, algorithms: [.edDSA]).keys.count == 1 ? "read" : "refused" }
    },
    WorkCase("addresses of a name") { size in
      dns(records: (0..<size).map { ([0xC0, 12], 1, [10, 0, UInt8($0 / 256), UInt8($0 % 256)]) })
    },
    WorkCase("names that are pointers to pointers", from: 200) { size in
      // Pointers in a record of another type, the first to the question's name, each other to the one before it.
      let start = 12 + question.name.bytes.count + 4 + 12
      let chain = (0..<size).flatMap { place -> [UInt8] in
        let target = place == 0 ? 12 : start + (place - 1) * 2
        return [0xC0 | UInt8(target >> 8), UInt8(target & 255)]
      }
      let last = start + (size - 1) * 2
      let pointer = [0xC0 | UInt8(last >> 8), UInt8(last & 255)]
      return dns(records: [([0xC0, 12], 16, chain)] + Array(repeating: (pointer, 1, [10, 0, 0, 1]), count: size))
    },
    WorkCase("aliases among records of others", from: 4) { size in
      let aliases = (0..<size).map { place -> ([UInt8], UInt16, [UInt8]) in
        (place == 0 ? question.name.bytes : alias(place - 1), 5, alias(place))
      }
      let others = (0..<size * 20).map { (alias($0 + 1000), UInt16(1), [10, 0, 0, 1] as [UInt8]) }
      return dns(records: others + aliases + [(alias(size - 1), 1, [10, 0, 0, 2])])
    },
  ]
}

private let question = DNSQuestion(id: 1, name: DNSName(bytes: [1, 0x61, 4, 0x74, 0x65, 0x73, 0x74, 0]), family: .ipv4)

private func alias(_ number: Int) -> [UInt8] {
  let label = Array("a\(number)".utf8)
  return [UInt8(label.count)] + label + [0]
}

/// Reads an answer with these records: name, type, data.
private func dns(records: [([UInt8], UInt16, [UInt8])]) -> () -> String {
  func wire(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 255), UInt8(number & 255)] }
  var bytes: [UInt8] = [0, 1, 0x81, 0x80, 0, 1] + wire(records.count) + [0, 0, 0, 0]
  bytes += question.name.bytes + [0, 1, 0, 1]
  for (name, type, data) in records {
    bytes += name + wire(Int(type)) + [0, 1, 0, 0, 0, 60] + wire(data.count) + data
  }
  let whole = bytes
  return {
    switch DNSReader.read(whole, to: question) {
    case .addresses: "read"
    case nil: "passed over"
    default: "refused"
    }
  }
}
