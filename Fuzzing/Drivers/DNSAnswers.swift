// Answers of name servers: whatever they say, addresses that can be connected to, each once, or none.

import Bytes
import ControlPlane
import Proxy

@_cdecl("fuzz_dns_answers")
func libFuzzDNSAnswers(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzDNSAnswers)
}

func fuzzDNSAnswers(_ input: [UInt8]) throws {
  guard let name = DNSName("app.example") else { throw Fault("a name that is none") }
  for family in AddressFamily.allCases {
    let question = DNSQuestion(id: 0x4321, name: name, family: family)
    guard let reply = DNSReader.read(input, to: question) else { continue }
    // RFC 5452 §9.1: the question comes back, or the answer is somebody else's.
    try expect(input.count >= 12 && input[0] == 0x43 && input[1] == 0x21 && input[2] & 0x80 != 0, "no answer to this")
    guard case .addresses(let addresses, _) = reply else { continue }
    try expect(!addresses.isEmpty && addresses.count <= 256, "\(addresses.count) addresses")
    try expect(Set(addresses).count == addresses.count, "an address stands twice")
    var last: PeerAddress?
    for text in addresses {
      let address = try unwrap(PeerAddress(Array(text.utf8).span), "\(text) is no address")
      try expect(family == .ipv6 || address.isIPv4, "\(text) is no address of the family")
      try expect(!address.isUnix, "an address that is none")
      if let last { try expect((last.high, last.low) < (address.high, address.low), "addresses out of order") }
      last = address
    }
    // A part of an answer is not an answer with other addresses.
    for count in [0, input.count / 2, max(0, input.count - 1)] {
      if case .addresses(let fewer, _)? = DNSReader.read(Array(input[..<count]), to: question) {
        try expect(Set(fewer).isSubset(of: Set(addresses)), "cut at \(count) it leads elsewhere")
      }
    }
  }
}
