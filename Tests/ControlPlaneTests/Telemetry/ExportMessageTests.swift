// The bytes of a message for a collector. That a foreign reader takes them is shown through the running gateway.

import Configuration
import Testing

@testable import ControlPlane

@Suite("Messages for a collector")
struct ExportMessageTests {
  @Test("Batches of spans lie in one scope of one resource, in their order")
  func message() {
    var collector = Collector()
    collector.serviceName = "shop"
    let elements: [[UInt8]] = [[0x12, 1, 7], [0x12, 1, 8]]
    let resource = ExportMessage.resource(collector, "1", host: "h")
    let message = ExportMessage.beginning(of: elements, from: resource, "1") + elements.flatMap { $0 }
    func attribute(_ name: String, _ value: String) -> [UInt8] {
      let value = [0x0A, UInt8(value.utf8.count)] + Array(value.utf8)
      let pair = [0x0A, UInt8(name.utf8.count)] + Array(name.utf8) + [0x12, UInt8(value.count)] + value
      return [0x0A, UInt8(pair.count)] + pair
    }
    func nested(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
      // Two bytes of length from 128 on.
      let count = bytes.count
      return [tag] + (count < 128 ? [UInt8(count)] : [UInt8(count % 128 + 128), UInt8(count / 128)]) + bytes
    }
    let attributes =
      attribute("service.name", "shop") + attribute("service.version", "1") + attribute("host.name", "h")
    let scope: [UInt8] = [0x0A, 7] + Array("catraca".utf8) + [0x12, 1, 0x31]
    let scoped = nested(0x0A, scope) + [0x12, 1, 7, 0x12, 1, 8]
    let expected = nested(0x0A, nested(0x0A, attributes) + nested(0x12, scoped))
    #expect(message == expected)
    #expect(!ExportMessage.hostName().isEmpty)
  }

  static let answers: [(bytes: [UInt8], count: Int)] = [
    ([], 0), ([0x0A, 2, 8, 3], 3), ([0x0A, 0], 0), ([0x0A, 7, 8, 0xAC, 2, 0x12, 2, 0x68, 0x69], 300),
    // Other fields come first, of each kind.
    ([0x10, 1, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x0A, 2, 8, 5], 5),
    // Cut off, endless, larger than the whole, a group, JSON.
    ([0x0A, 2, 8], 0), ([0x0A], 0), (Array(repeating: 0xFF, count: 40), 0), ([0x0A, 0xFF, 0xFF, 0x7F, 8, 1], 0),
    ([0x0B, 8, 1, 0x0C], 0), (Array("{\"partialSuccess\":{}}".utf8), 0),
    ([0x0A, 11, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], -1),
  ]

  @Test(
    "The number of refused spans is read from an answer, and bytes that are no message say nothing", arguments: answers)
  func answer(_ bytes: [UInt8], _ count: Int) {
    #expect(ExportAnswer.rejectedCount(in: bytes) == count)
  }
}
