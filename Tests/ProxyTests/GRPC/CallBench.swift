// A client and a server of gRPC around the bench, and what a call looks like to both.

import HTTP2
import Testing

@testable import Proxy

/// A bench whose client speaks HTTP/2, and whose upstream `app` may.
struct CallBench {
  static let routes = "routes: [{ path: /*, auth: public, upstream: app }]"
  static let upstream = "upstreams: { app: { servers: [10.0.0.1:9000], protocol: http2 } }"

  let bench: Bench
  let client: GRPCPeer

  init(_ text: String = routes, upstream: String = upstream, issuer: BenchIssuer? = nil) throws {
    bench = try Bench(text + "\n" + upstream, keySets: try issuer.map { [try $0.keySet()] } ?? [])
    client = try GRPCPeer(.client, bench.connect(), bench)
  }

  /// A call's head as a client of gRPC sends it.
  static func head(_ path: String = "/test.Service/Call", method: String = "POST", _ lines: String...) -> String {
    let fields = ["Host: h", "TE: trailers", "Content-Type: application/grpc"] + lines
    return "\(method) \(path) HTTP/1.1\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  func call(_ head: String = head(), end: Bool = true) throws -> Int32 { try client.ask(head, end: end) }

  /// The server at the far end of the connection that was opened last.
  func server() throws -> GRPCPeer { try GRPCPeer(.server, try bench.server(), bench) }

  func wait(_ duration: Duration, _ peers: GRPCPeer...) {
    bench.wait(duration)
    client.exchange()
    for peer in peers { peer.exchange() }
  }

  /// What a trailers-only answer says. Nil when it is none.
  func refusal(_ stream: Int32) throws -> (status: Int, message: String)? {
    let seen = try #require(client.streams[stream])
    guard seen.head.first == "200", seen.isHeadLast, seen.isEnded, seen.content.isEmpty,
      seen.head.contains("content-type: application/grpc"),
      seen.head.contains(where: { $0.hasPrefix("x-request-id: ") }),
      !seen.head.contains(where: { $0.hasPrefix("content-length") }),
      let status = value("grpc-status", seen.head).flatMap({ Int($0) }), let message = value("grpc-message", seen.head)
    else { return nil }
    return (status, message)
  }

  func expectRefusal(
    _ stream: Int32, _ status: Int, _ code: String, _ place: SourceLocation = #_sourceLocation
  ) throws {
    let refusal = try refusal(stream)
    #expect(
      refusal?.status == status && refusal?.message == code, "\(String(describing: client.streams[stream]))",
      sourceLocation: place)
    let line = bench.logLines.last ?? ""
    #expect(
      line.contains("\"status\":200,") && line.contains("\"grpc_status\":\(status),")
        && line.contains("\"reason\":\"\(code)\""), "\(line)", sourceLocation: place)
  }

  func value(_ name: String, _ lines: [String]) -> String? {
    lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.utf8.count + 2)) }
  }
}
