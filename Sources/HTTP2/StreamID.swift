// How a session and its owner name a stream.

/// A stream of a session. A handle that outlives its stream names nothing, and calls with it do nothing.
package struct StreamID: Hashable, Sendable {
  /// The identifier on the wire (RFC 9113 §5.1.1).
  package let id: Int32
  /// A small number that no other open stream of the session has, to index a table by. Used again after `closed`.
  package let slot: Int

  package init(id: Int32, slot: Int) {
    self.id = id
    self.slot = slot
  }
}
