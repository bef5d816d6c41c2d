// A session that its store is asked about with each request is mostly the one that it was. Then its bytes are the same,
// and who was read from them is the same caller, who need not be read once more.

/// The bytes that a caller was made of. They say nothing by themselves: the store has to say the very same again.
struct StoredValue: Sendable {
  let bytes: [UInt8]
  /// From this second on the same bytes mean something else: a use of the session is to be noted, or its tokens are to
  /// be renewed.
  let holdsUntil: Int64
}
