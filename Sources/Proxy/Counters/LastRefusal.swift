// A refusal for the status page: what a client quotes is found there by its request id.

package struct LastRefusal: Sendable, Equatable {
  package var unixMilliseconds: Int64
  package var refusal: Refusal
  /// The id of ``CounterNames``. Nil when none took the request.
  package var route: Int?
  package var requestID: String
}

extension Newest<LastRefusal> {
  /// The newest of both.
  mutating func merge(_ other: Newest<LastRefusal>) {
    let all = (elements + other.elements).sorted { $0.unixMilliseconds > $1.unixMilliseconds }
    self = Newest()
    for refusal in all.prefix(Self.countMax).reversed() { note(refusal) }
  }
}
