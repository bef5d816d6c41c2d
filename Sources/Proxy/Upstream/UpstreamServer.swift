// One server of an upstream: what a worker knows of it, and its connections there.

import Configuration

/// One server of an upstream, as one worker sees it.
final class UpstreamServer {
  /// Of the reload that came last, or of a change of addresses.
  var configuration: Upstream.Server
  let shared: SharedServer
  /// The upstream has it no more: connections are not kept after their exchange.
  var isRetired = false
  let addressText: [UInt8]
  /// Kept connections that no exchange uses, the latest last.
  var idle: [HTTP1UpstreamConnection] = []
  /// Connections that serve many exchanges at once, the latest last.
  var multiplexed: [HTTP2UpstreamConnection] = []
  /// Streams that such a connection takes, as the last one said. Until the first one does, a guess.
  var streamCountMax = 100
  /// Exchanges that this worker has at the server now.
  var activeCount = 0
  var isInRotation = false
  /// Before the rotation changed last.
  var wasInRotation = false
  /// Its part of the requests, against the other servers' in rotation.
  var share: Int
  /// When it came into rotation, while its share grows. Else `min`.
  var slowStartedAt = Int64.min
  /// So that a share can grow in small steps.
  static let shareOfWeightOne = 1000
  /// The sticky cookie that names it, in clear text and over TLS.
  var bindingLines: [UInt8] = []
  var secureBindingLines: [UInt8] = []
  /// Smooth round robin's running score.
  var score = 0

  init(_ configuration: Upstream.Server, shared: SharedServer) {
    self.configuration = configuration
    self.shared = shared
    share = configuration.weight * Self.shareOfWeightOne
    addressText = Array(configuration.address.description.utf8)
  }
}
