// Answers of DNS servers, honest and hostile ones.

import Configuration
import Testing

@testable import ControlPlane

@Suite("DNS messages")
struct DNSMessageTests {
  private static let id: UInt16 = 0x1234

  private func question(_ name: String = "api.example", _ family: AddressFamily = .ipv4) throws -> DNSQuestion {
    DNSQuestion(id: Self.id, name: try #require(DNSName(name)), family: family)
  }

  /// An answer with the question in it, in other letters, and these records.
  private func answer(
    _ question: DNSQuestion, _ records: [[UInt8]], flags: [UInt8] = [0x81, 0x80], count: Int? = nil
  ) -> [UInt8] {
    var message: [UInt8] = [0x12, 0x34] + flags
    message += [0, 1, 0, UInt8(count ?? records.count), 0, 0, 0, 0]
    message += question.name.bytes.map { (0x61...0x7A).contains($0) ? $0 & 0xDF : $0 }
    message += [0, UInt8(question.family.rawValue), 0, 1]
    for record in records { message += record }
    return message
  }

  private func record(
    _ data: [UInt8], of owner: [UInt8] = [0xC0, 12], type: UInt8 = 1, seconds: UInt8 = 60
  ) -> [UInt8] {
    owner + [0, type, 0, 1, 0, 0, 0, seconds, 0, UInt8(data.count)] + data
  }

  @Test("Addresses are read, each once, in ascending order, for as long as the shortest lives")
  func addresses() throws {
    let question = try question()
    let bytes = answer(
      question, [record([10, 0, 0, 2]), record([10, 0, 0, 1], seconds: 30), record([10, 0, 0, 2])])
    #expect(DNSReader.read(bytes, to: question) == .addresses(["10.0.0.1", "10.0.0.2"], seconds: 30))
    let six = try self.question("api.example", .ipv6)
    let address: [UInt8] = [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
    #expect(
      DNSReader.read(answer(six, [record(address, type: 28)]), to: six) == .addresses(["fd00::7"], seconds: 60))
  }

  @Test("Aliases are followed, in whatever order they are. One that leads round ends")
  func aliases() throws {
    let question = try question()
    let (b, c) = (try #require(DNSName("b.example")).bytes, try #require(DNSName("c.example")).bytes)
    let chain = [record([10, 0, 0, 1], of: c), record(c, of: b, type: 5, seconds: 5), record(b, type: 5)]
    #expect(DNSReader.read(answer(question, chain), to: question) == .addresses(["10.0.0.1"], seconds: 5))
    #expect(DNSReader.read(answer(question, [record(b, type: 5), record(b, of: b, type: 5)]), to: question) == .failed)
    #expect(DNSReader.read(answer(question, [record(b, type: 5)]), to: question) == DNSReply.none)
    // Addresses of names that nothing leads to.
    #expect(DNSReader.read(answer(question, [record([10, 0, 0, 1], of: c)]), to: question) == DNSReply.none)
  }

  @Test("What a server says of a failure, a name that does not exist, and an answer cut short")
  func codes() throws {
    let question = try question()
    for (flags, expected) in [
      ([0x81, 0x83], DNSReply.none), ([0x81, 0x82], .failed), ([0x81, 0x85], .failed), ([0x83, 0x80], .truncated),
      ([0x81, 0x80], .none),
    ] as [([UInt8], DNSReply)] {
      #expect(DNSReader.read(answer(question, [], flags: flags), to: question) == expected)
    }
  }

  @Test("Nobody can be reached at 0.0.0.0, ::, groups, or an address of another length")
  func useless() throws {
    let question = try question()
    for data in [[0, 0, 0, 0], [224, 0, 0, 1], [255, 255, 255, 255], [10, 0, 0], [10, 0, 0, 1, 2], []] as [[UInt8]] {
      #expect(DNSReader.read(answer(question, [record(data)]), to: question) == DNSReply.none)
    }
    let six = try self.question("api.example", .ipv6)
    let bad: [[UInt8]] = [Array(repeating: 0, count: 16), [0xFF] + Array(repeating: 1, count: 15)]
    for data in bad { #expect(DNSReader.read(answer(six, [record(data, type: 28)]), to: six) == DNSReply.none) }
  }

  @Test("An answer to another question, with another id, or no answer at all is passed over")
  func strangers() throws {
    let question = try question()
    let good = answer(question, [record([10, 0, 0, 1])])
    #expect(DNSReader.read(good, to: try self.question("other.example")) == nil)
    #expect(DNSReader.read(good, to: try self.question("api.example", .ipv6)) == nil)
    #expect(DNSReader.read(good, to: DNSQuestion(id: 1, name: question.name, family: .ipv4)) == nil)
    #expect(DNSReader.read(question.query, to: question) == nil)
    for (place, value) in [(2, 0x91), (5, 0), (5, 2)] as [(Int, UInt8)] {
      var changed = good
      changed[place] = value
      #expect(DNSReader.read(changed, to: question) == nil, "\(place)")
    }
  }

  @Test("Names that point at themselves, forwards or round, and too long ones are refused")
  func pointers() throws {
    let question = try question()
    let start = UInt8(12 + question.name.bytes.count + 4)
    for owner in [
      [0xC0, start], [0xC0, start + 2], [0xC0, 0xFF], [1, 0x61, 0xC0, start], [0x80, 1], [0x40, 1], [63],
    ]
      as [[UInt8]]
    {
      let bytes = answer(question, [record([10, 0, 0, 1], of: owner)])
      #expect(DNSReader.read(bytes, to: question) == .failed, "\(owner)")
    }
    let label: [UInt8] = [63] + Array(repeating: 0x61, count: 63)
    let long = label + label + label + label + label + [0]
    #expect(DNSReader.read(answer(question, [record([10, 0, 0, 1], of: long)]), to: question) == .failed)
    #expect(DNSName(String(repeating: "a", count: 64)) == nil && DNSName("") == nil)
    #expect(DNSName(String(repeating: "a.", count: 130)) == nil)
  }

  @Test("An answer that ends anywhere, counts what is not there or holds any byte does no harm")
  func anything() throws {
    let question = try question()
    let b = try #require(DNSName("b.example")).bytes
    let good = answer(question, [record(b, type: 5), record([10, 0, 0, 1], of: b)])
    for end in 0..<good.count {
      let reply = DNSReader.read(Array(good[..<end]), to: question)
      #expect(reply == nil || reply == .failed)
    }
    #expect(DNSReader.read(answer(question, [record([10, 0, 0, 1])], count: 9), to: question) == .failed)
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      var bytes = good
      for _ in 0...Int.random(in: 0...3, using: &random) {
        bytes[Int.random(in: 12..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = DNSReader.read(bytes, to: question)
    }
  }

  @Test("The machine's files: hosts, servers, domains. Lines without sense are passed over")
  func files() {
    let files = ResolverFiles(
      hosts: "127.0.0.1 LocalHost # me\n::1 localhost\nnonsense\n10.0.0.9 db db.internal\n300.1.1.1 x\n",
      configuration:
        "nameserver 10.0.0.53\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions ndots:2 timeout:1\n;x\nnameserver"
    )
    #expect(files.known("localhost") == ["127.0.0.1", "::1"] && files.known("DB") == ["10.0.0.9"])
    #expect(files.known("x") == nil && files.known("a.localhost") == ["127.0.0.1", "::1"])
    #expect(files.servers.map(\.description) == ["10.0.0.53:53"])
    #expect(files.candidates(for: "db.x") == ["db.x.a.example", "db.x.b.example", "db.x"])
    #expect(files.candidates(for: "db.x.y") == ["db.x.y", "db.x.y.a.example", "db.x.y.b.example"])
    #expect(ResolverFiles(hosts: "", configuration: "").servers.map(\.description) == ["127.0.0.1:53"])
  }
}
