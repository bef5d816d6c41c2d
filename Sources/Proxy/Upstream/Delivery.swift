// The way of a request to a server of its upstream.

/// Where a request goes, and what it has there.
struct Delivery {
  /// Set while a server has the request, and the answer is not over.
  var stream: (any UpstreamStream)?
  var pool: UpstreamPool?
  /// The one that was chosen last.
  var server: UpstreamServer?
  var attempts = Attempts()
  /// The copy of the request that goes to another upstream.
  var mirror: MirrorStream?
  /// A request of the gateway's own, which is in no log and no count.
  var isOwn = false

  mutating func reset() { self = Delivery() }
}
