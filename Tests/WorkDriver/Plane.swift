// The data plane between a client and a server that are arrays of bytes: no sockets, no threads, no clock.

import Bytes
import Configuration
import Tokens

@testable import Proxy

/// A configuration that a case wrote wrong.
struct CaseFailure: Error, CustomStringConvertible {
  var description: String
}

final class Plane {
  private let worker: Worker
  private let time = Time(nanoseconds: 5_000_000_000, unixMilliseconds: 1_700_000_000_000)
  private var client: DownstreamConnection
  private var server: ServerConnection?
  /// What the client was sent.
  private var received: [UInt8] = []

  /// - Parameter text: of a configuration without listeners and upstreams: the upstream is `app`.
  init(_ text: String, keySets: [KeySet?] = []) throws {
    let whole =
      "listeners: [{ address: 127.0.0.1:0 }]\n"
      + "upstreams: { app: { servers: [10.0.0.1:9000], header_size: 1MiB, headers: 1000 } }\n"
      + "limits: { header_size: 1MiB, headers: 1000 }\n" + text + "\n"
    let read = ConfigurationReader.read(
      text: whole, file: "gateway.conf", folder: "", environment: [:],
      readFile: { throw CaseFailure(description: $0) })
    guard case .success(let loaded) = read else { throw CaseFailure(description: "\(read)") }
    worker = Worker(
      snapshot: Snapshot(loaded.configuration, generation: 1), keySets: keySets, time: time, steadyClock: { 0 },
      seed: (1, 2), checksServers: false)
    let address = Array("192.0.2.7".utf8)
    client = worker.accepted(
      from: PeerAddress(address.span) ?? PeerAddress(high: 0, low: 0), listener: 0, at: time)
    settle()
  }

  /// Sends the request, and the answer once the server has it. Gives the first status that the client got.
  func exchange(_ request: [UInt8], _ answer: [UInt8] = []) -> String {
    worker.received(request.span, on: client, at: time)
    settle()
    if let server, !answer.isEmpty {
      worker.received(answer.span, on: server, at: time)
      settle()
    }
    return received.count >= 12 ? String(decoding: received[9..<12], as: UTF8.self) : "none"
  }

  /// Carries out what the worker commands, until there is nothing more.
  private func settle() {
    while !worker.flushes.isEmpty || !worker.commands.isEmpty {
      let flushes = worker.flushes
      worker.flushes.removeAll()
      for place in flushes {
        guard let connection = worker.table.connections[place] else { continue }
        connection.transfer.beginFlush()
        connection.fillOutput()
        if connection === client { received += connection.output.copied() }
        connection.transfer.wrote(connection.output.count)
        if connection.outputEmptied() { worker.drained(connection, at: time) }
      }
      let commands = worker.commands
      worker.commands.removeAll()
      for case .connect(let connection) in commands {
        server = connection
        worker.connected(connection, at: time)
      }
    }
  }
}

/// A head as text with CRLFs.
func head(_ first: String, _ lines: [String]) -> [UInt8] {
  Array(([first] + lines).map { $0 + "\r\n" }.joined().utf8) + [0x0D, 0x0A]
}

/// A GET with these lines.
func get(_ lines: [String], _ target: String = "/") -> [UInt8] { head("GET \(target) HTTP/1.1", ["Host: h"] + lines) }

let answer = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok".utf8)
