// What a cluster says of itself: slots, the map of its nodes, redirections. And what sentinels answer.

import Bytes
import Testing

@testable import Redis

@Suite("Nodes of a cluster")
struct ClusterTests {
  @Test(
    "Keys are in the slots that Redis puts them in",
    arguments: [
      ("123456789", 12739), ("foo", 12182), ("bar", 5061), ("", 0), ("{user1000}.following", 3443),
      ("user1000", 3443), ("{user1000}.followers", 3443), ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015),
      ("foo{bar}{zap}", 5061),
    ])
  func slots(_ key: String, _ slot: Int) { #expect(KeySlot.of(key.utf8.span) == slot) }

  private static let first = list(bulk("10.0.0.1"), ":7000\r\n", bulk("id1"))
  private static let second = list(bulk("10.0.0.2"), ":7001\r\n", bulk("id2"))

  private func map(_ text: String) throws -> SlotMap? { try with(text) { SlotMap($0, asked: "10.9.9.9") } ?? nil }

  @Test("The map has the node of each slot, and replicas are left out")
  func slotMap() throws {
    let read = try map(
      list(
        list(":0\r\n", ":99\r\n", Self.first, Self.second), list(":100\r\n", ":16383\r\n", Self.second),
        list(":50\r\n", ":60\r\n", list("$-1\r\n", ":7002\r\n"))))
    let map = try #require(read)
    #expect(map.node(of: 0) == NodeAddress(host: "10.0.0.1", port: 7000))
    #expect(map.node(of: 55) == NodeAddress(host: "10.9.9.9", port: 7002))
    #expect(map.node(of: 99) == NodeAddress(host: "10.0.0.1", port: 7000))
    #expect(map.node(of: 100) == NodeAddress(host: "10.0.0.2", port: 7001))
    #expect(map.node(of: 16383) == NodeAddress(host: "10.0.0.2", port: 7001))
    #expect(map.node(of: 16384) == nil)
    #expect(map.nodes.count == 3)
  }

  @Test("Slots that nobody serves, and nodes whose place is not known, have no node")
  func unknownNodes() throws {
    let read = try map(list(list(":5\r\n", ":6\r\n", list(bulk("?"), ":7000\r\n"))))
    let map = try #require(read)
    #expect(map.node(of: 5) == nil)
    #expect(map.node(of: 7) == nil)
  }

  @Test(
    "What is no map is refused",
    arguments: [
      "+OK\r\n", list(":1\r\n"), list(list(":0\r\n", ":16384\r\n", first)), list(list(":2\r\n", ":1\r\n", first)),
      list(list(":-1\r\n", ":1\r\n", first)), list(list(":0\r\n", ":1\r\n")), list(list(bulk("0"), ":1\r\n", first)),
    ])
  func refused(_ text: String) throws { #expect(try map(text) == nil) }

  @Test("A redirection moves its slot, and no other")
  func redirections() throws {
    let read = try map(list(list(":0\r\n", ":16383\r\n", Self.first)))
    var map = try #require(read)
    let text = "MOVED 3999 10.0.0.3:6381"
    guard case .moved(let redirection) = ReplyError(text.utf8.span) else {
      Issue.record("no redirection")
      return
    }
    #expect(map.take(redirection, asked: "x") == NodeAddress(host: "10.0.0.3", port: 6381))
    #expect(map.node(of: 3999) == NodeAddress(host: "10.0.0.3", port: 6381))
    #expect(map.node(of: 3998) == NodeAddress(host: "10.0.0.1", port: 7000))
    #expect(map.node(of: 4000) == NodeAddress(host: "10.0.0.1", port: 7000))
  }

  @Test("The first word of an error says what it is")
  func errors() {
    func error(_ text: String) -> ReplyError { ReplyError(text.utf8.span) }
    #expect(error("NOSCRIPT No matching script.") == .scriptMissing)
    #expect(error("READONLY You can't write against a read only replica.") == .readOnly)
    #expect(error("OOM command not allowed when used memory > 'maxmemory'.") == .outOfMemory)
    #expect(error("LOADING Redis is loading the dataset in memory") == .unready)
    #expect(error("CLUSTERDOWN Hash slot not served") == .unready)
    #expect(error("WRONGPASS invalid username-password pair or user is disabled.") == .forbidden)
    #expect(error("NOPERM this user has no permissions") == .forbidden)
    #expect(error("ERR unknown command 'HELLO', with args beginning with:") == .unknownCommand)
    #expect(error("ERR value is not an integer or out of range") == .other)
    #expect(error("MOVEDX 1 a:1") == .other)
    #expect(error("") == .other)
    #expect(
      error("ASK 3999 ::1:6381")
        == .ask(Redirection(slot: 3999, node: NodeAddress(host: "::1", port: 6381))))
    #expect(
      error("MOVED 1 :6381") == .moved(Redirection(slot: 1, node: NodeAddress(host: "", port: 6381))))
    for text in [
      "MOVED", "MOVED 1", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED 1 a", "MOVED 1 a:0", "ASK 1 a:65536",
      "ASK 1 a b:1", "MOVED 1 ?:7000", "MOVED 1 \(String(repeating: "a", count: 254)):1",
    ] {
      #expect(error(text) == .other, "\(text)")
    }
  }

  @Test("A sentinel names the master's address and port, or nothing")
  func sentinels() throws {
    let address = try with(list(bulk("10.0.0.7"), bulk("6379"))) { NodeAddress($0) }
    #expect(address == NodeAddress(host: "10.0.0.7", port: 6379))
    for text in ["*-1\r\n", "+OK\r\n", list(), list(bulk("a")), list(bulk("a"), bulk("b")), list(":1\r\n", ":2\r\n")] {
      #expect(try with(text) { NodeAddress($0) } == .some(nil), "\(text)")
    }
  }
}

extension Redirection {
  init(slot: Int, node: NodeAddress) {
    self = Redirection("\(slot) \(node.host):\(node.port)".utf8.span) ?? Redirection("0 a:1".utf8.span)!
  }
}
