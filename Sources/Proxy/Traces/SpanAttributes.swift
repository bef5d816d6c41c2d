// Attributes of spans that are the same for many of them, encoded once.

import Bytes
import Configuration

enum SpanAttributes {
  /// Of the list of attributes in a span.
  static let field: UInt64 = 9

  static func make(_ fill: (inout ByteQueue) -> Void) -> [UInt8] {
    var attributes = ByteQueue()
    fill(&attributes)
    return attributes.copied()
  }

  static func make(of route: Route) -> [UInt8] {
    make { attributes in
      attributes.append(field: field, attribute: "http.route", route.path.description)
      attributes.append(field: field, attribute: "catraca.route", route.name)
    }
  }

  /// Where a server is.
  static func make(of server: Upstream.Server) -> [UInt8] {
    make { attributes in
      switch server.address {
      case .network(let host, let port):
        attributes.append(field: field, attribute: "server.address", server.name ?? host)
        attributes.append(field: field, attribute: "server.port", number: UInt64(port))
      case .unix(let path): attributes.append(field: field, attribute: "server.address", path)
      }
    }
  }
}
