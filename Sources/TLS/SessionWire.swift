// The bytes between OpenSSL and the session's owner: a BIO that reads from the span that is just being received, and
// appends what is to be sent to a queue. Owns the memory that the BIO's callbacks touch. The SSL owns the BIO.
//
// Invariant: the callbacks reach their state by its address alone, in memory of its own. No Swift access to it is open
// while OpenSSL is called: each access below ends before the call, or begins after it.

internal import Bytes
internal import COpenSSL
internal import Glibc

/// What the callbacks read and write.
@safe
struct WireState: ~Copyable {
  /// The span that is being received. Null outside of ``SessionWire/whileReceiving``.
  var input: UnsafePointer<UInt8>?
  var inputCount = 0
  /// What an earlier span brought and was not taken, as plaintext had reached its limit.
  var rest = ByteQueue()
  var outgoing = ByteQueue()
  /// The newest session that a client may resume: one reference is ours.
  var resumable: OpaquePointer?

  init() {
    unsafe input = nil
    unsafe resumable = nil
  }

  deinit {
    // SAFETY: the one reference that the callback kept. Takes null.
    unsafe SSL_SESSION_free(resumable)
  }

  /// Copies at most `count` bytes, oldest first.
  mutating func take(_ count: Int, into bytes: UnsafeMutableRawPointer) -> Int {
    if !rest.isEmpty {
      let taken = min(count, rest.count)
      // SAFETY: both sides hold `taken` bytes. The queue does not overlap OpenSSL's buffer.
      unsafe rest.span.withUnsafeBytes { source in
        if let base = source.baseAddress { _ = unsafe memcpy(bytes, base, taken) }
      }
      rest.removeFirst(taken)
      if rest.isEmpty { rest.releaseStorage() }
      return taken
    }
    guard let source = unsafe input, inputCount > 0 else { return 0 }
    let taken = min(count, inputCount)
    // SAFETY: the span that `input` refers to is alive, and `inputCount` of its bytes are left.
    _ = unsafe memcpy(bytes, source, taken)
    unsafe input = source + taken
    inputCount -= taken
    return taken
  }
}

/// Owner of one session's ``WireState``.
@safe
struct SessionWire: ~Copyable {
  /// LIMIT: ciphertext that waits because its plaintext has no room. A caller that stops reading in time has a read or
  /// two.
  static let restByteCountMax = 1 << 20

  let state: UnsafeMutablePointer<WireState>

  init() {
    unsafe state = UnsafeMutablePointer<WireState>.allocate(capacity: 1)
    unsafe state.initialize(to: WireState())
  }

  deinit {
    // SAFETY: made in init. The session frees its SSL, and the BIO with it, before its wire.
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
  }

  /// A BIO for both directions of one SSL, and of no further owner. nil without memory.
  func makeBIO() -> OpaquePointer? {
    guard let method = unsafe Self.method, let bio = unsafe BIO_new(method) else { return nil }
    // SAFETY: the state outlives the BIO: see deinit.
    unsafe BIO_set_data(bio, state)
    unsafe BIO_set_init(bio, 1)
    return unsafe bio
  }

  /// Ciphertext that OpenSSL has not taken yet.
  var unreadByteCount: Int { unsafe state.pointee.inputCount + state.pointee.rest.count }

  /// Opens the span for the read callback. ``endReceiving()`` must follow while it is alive.
  func beginReceiving(_ bytes: UnsafeBufferPointer<UInt8>) {
    unsafe state.pointee.input = bytes.baseAddress
    unsafe state.pointee.inputCount = bytes.count
  }

  /// Keeps what was not taken. False at the limit.
  func endReceiving() -> Bool {
    let count = unsafe state.pointee.inputCount
    defer {
      unsafe state.pointee.input = nil
      unsafe state.pointee.inputCount = 0
    }
    guard count > 0, let input = unsafe state.pointee.input else { return true }
    guard unsafe state.pointee.rest.count + count <= Self.restByteCountMax else { return false }
    // SAFETY: `input` refers to `count` bytes of the span that is still alive.
    unsafe state.pointee.rest.append(Span(_unsafeStart: input, count: count))
    return true
  }

  /// Forgets what nobody will read any more.
  func dropInput() {
    unsafe state.pointee.inputCount = 0
    unsafe state.pointee.rest.releaseStorage()
  }

  // MARK: The BIO's method

  // SAFETY: written once, before anyone can read it, and never freed. OpenSSL only reads it.
  nonisolated(unsafe) private static let method: OpaquePointer? = unsafe makeMethod()

  private static func makeMethod() -> OpaquePointer? {
    guard let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "catraca") else { return nil }
    // SAFETY: the state is what makeBIO set. OpenSSL's buffers are as long as it says.
    unsafe BIO_meth_set_read_ex(method) { bio, bytes, count, taken in
      unsafe catraca_BIO_clear_retry_flags(bio)
      guard let state = unsafe SessionWire.state(of: bio), let bytes = unsafe bytes else { return -1 }
      let byteCount = unsafe state.pointee.take(count, into: UnsafeMutableRawPointer(bytes))
      guard byteCount > 0 else {
        // Nothing there means "wait for more", not the end of the stream.
        unsafe BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
        return -1
      }
      unsafe taken?.pointee = byteCount
      return 1
    }
    unsafe BIO_meth_set_write_ex(method) { bio, bytes, count, written in
      unsafe catraca_BIO_clear_retry_flags(bio)
      guard let state = unsafe SessionWire.state(of: bio), let bytes = unsafe bytes else { return -1 }
      let source = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
      unsafe state.pointee.outgoing.append(source.bindMemory(to: UInt8.self).span)
      unsafe written?.pointee = count
      return 1
    }
    unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    return unsafe method
  }

  private static func state(of bio: OpaquePointer?) -> UnsafeMutablePointer<WireState>? {
    unsafe BIO_get_data(bio)?.assumingMemoryBound(to: WireState.self)
  }
}
