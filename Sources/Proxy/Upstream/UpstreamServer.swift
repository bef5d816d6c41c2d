// One server of an upstream, as one worker sees it: what balancing knows of it, and the connections there.

import Configuration

final class UpstreamServer {
  /// Of the reload that came last, or of a change of addresses.
  var configuration: Upstream.Server { didSet { spanAttributes = SpanAttributes.make(of: configuration) } }
  let shared: SharedServer
  let addressText: [UInt8]
  /// What Host says of it, without the port that the scheme implies.
  let authority: [UInt8]
  /// What is the same in the span of each attempt at it.
  private(set) var spanAttributes: [UInt8]
  /// The upstream has it no more: connections are not kept after their exchange.
  var isRetired = false
  /// For the pool alone.
  var connections = ServerConnections()
  /// For balancing alone.
  var load: ServerLoad
  /// The sticky cookie that names it, for clients without TLS and with it.
  var bindingLines: [UInt8] = []
  var secureBindingLines: [UInt8] = []

  init(_ configuration: Upstream.Server, shared: SharedServer, isSecure: Bool) {
    self.configuration = configuration
    self.shared = shared
    load = ServerLoad(configuration)
    spanAttributes = SpanAttributes.make(of: configuration)
    addressText = Array(configuration.address.description.utf8)
    let port = isSecure ? ":443" : ":80"
    let authority = configuration.authority
    self.authority = Array((authority.hasSuffix(port) ? authority.dropLast(port.count) : authority[...]).utf8)
  }
}

/// A worker's connections to one server.
struct ServerConnections {
  /// Kept connections that no exchange uses, the latest last.
  var idle: [HTTP1UpstreamConnection] = []
  /// Connections that serve many exchanges at once, the latest last.
  var multiplexed: [HTTP2UpstreamConnection] = []
  /// Streams that such a connection takes, as the last one said. Until the first one does, a guess.
  var streamCountMax = 100
}
