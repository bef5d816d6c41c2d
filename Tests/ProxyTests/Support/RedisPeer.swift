// Redis in the place of a server of the bench: the test reads commands and writes replies.

import Testing

@testable import Proxy

struct RedisPeer {
  let socket: FakeSocket

  /// The newest connection to this address.
  init(_ bench: Bench, at address: String = "127.0.0.1:6379") throws {
    bench.act { _ in }
    socket = try #require(bench.servers.last { $0.address == address })
  }

  /// Answers the greeting.
  /// - Parameter tracking: the reply to the order to report changes.
  func greet(tracking: String = "+OK\r\n") {
    #expect(commands().map(\.first) == ["HELLO"])
    socket.send("%1\r\n+proto\r\n:3\r\n")
    #expect(commands() == [["CLIENT", "TRACKING", "ON", "OPTIN"]])
    socket.send(tracking)
    #expect(commands() == [["PING"]])
    socket.send("+PONG\r\n")
  }

  /// Lets time pass, and answers what asks whether the server lives.
  func wait(_ bench: Bench, _ duration: Duration) {
    for _ in 0..<(duration.nanoseconds / 100_000_000) {
      bench.wait(.milliseconds(100))
      for command in commands() {
        #expect(command == ["PING"])
        send("+PONG\r\n")
      }
    }
  }

  /// What was written since the last look.
  func commands() -> [[String]] {
    var bytes = socket.takeBytes()[...]
    func line() -> Int {
      let end = bytes.firstIndex(of: 13) ?? bytes.endIndex
      defer { bytes = bytes[min(end + 2, bytes.endIndex)...] }
      return Int(String(decoding: bytes[(bytes.startIndex + 1)..<end], as: UTF8.self)) ?? 0
    }
    var found: [[String]] = []
    while !bytes.isEmpty {
      var parts: [String] = []
      for _ in 0..<line() {
        let count = line()
        parts.append(bytes.prefix(count).map { String(UnicodeScalar($0)) }.joined())
        bytes = bytes.dropFirst(count + 2)
      }
      found.append(parts)
    }
    return found
  }

  func send(_ text: String) { socket.send(text) }

  func send(bulk bytes: [UInt8]) { socket.send(Array("$\(bytes.count)\r\n".utf8) + bytes + [13, 10]) }

  /// These keys have changed. Nil for all.
  func invalidate(_ keys: [String]?) {
    let list = keys.map { "*\($0.count)\r\n" + $0.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined() } ?? "_\r\n"
    socket.send(">2\r\n$10\r\ninvalidate\r\n" + list)
  }
}
