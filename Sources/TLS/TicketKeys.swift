// The keys that session tickets are sealed with. They outlive contexts, so that clients resume across a reload.
// Invariant: the first key seals, all of them open. Keys that rotate are never used beyond their time.

internal import Bytes
internal import COpenSSL
internal import Glibc
internal import Synchronization

/// Shared by all contexts and workers.
package final class TicketKeys: Sendable {
  /// Seconds for which a key seals, when keys rotate.
  static let sealingSeconds: Int64 = 60 * 60
  /// Old keys that still open tickets, one hour each.
  static let oldKeyCountMax = 3
  private static let nameByteCount = 16

  struct Key: Sendable, Equatable {
    var name: [UInt8]
    /// For HMAC with SHA-256.
    var authenticator: [UInt8]
    /// For AES in CBC mode: 16 or 32 bytes.
    var cipher: [UInt8]
    var createdAt: Int64
  }

  private let keys: Mutex<[Key]>
  /// nil for keys of a file, which do not rotate automatically. Seconds of a clock that never goes back.
  private let clock: (@Sendable () -> Int64)?

  /// Keys that are made here, known to nobody else, and replaced every hour.
  package convenience init() throws(TLSError) {
    try self.init(clock: {
      var now = timespec()
      // SAFETY: fills `now`.
      unsafe clock_gettime(CLOCK_MONOTONIC, &now)
      return Int64(now.tv_sec)
    })
  }

  init(clock: @escaping @Sendable () -> Int64) throws(TLSError) {
    keys = Mutex([try Self.makeKey(at: clock())])
    self.clock = clock
  }

  /// Keys that a fleet shares: one or more of 80 bytes (name 16, HMAC 32, AES-256 32), or a single one of 48 bytes
  /// (name 16, AES-128 16, HMAC 16). The first seals.
  package init(file path: String) throws(TLSError) {
    let bytes = try PEMFile.read(path)
    var loaded: [Key] = []
    if bytes.count == 48 {
      loaded = [
        Key(
          name: Array(bytes[..<16]), authenticator: Array(bytes[32...]), cipher: Array(bytes[16..<32]), createdAt: 0)
      ]
    } else {
      guard bytes.count % 80 == 0 else {
        throw TLSError(file: path, "\(bytes.count) bytes are not ticket keys: expected 80 bytes for each, or one of 48")
      }
      for start in stride(from: 0, to: bytes.count, by: 80) {
        let key = bytes[start..<start + 80]
        loaded.append(
          Key(
            name: Array(key.prefix(16)), authenticator: Array(key.dropFirst(16).prefix(32)),
            cipher: Array(key.suffix(32)), createdAt: 0))
      }
    }
    guard Set(loaded.map(\.name)).count == loaded.count else {
      throw TLSError(file: path, "two ticket keys have the same name")
    }
    keys = Mutex(loaded)
    clock = nil
  }

  private static func makeKey(at now: Int64) throws(TLSError) -> Key {
    var bytes = [UInt8](repeating: 0, count: 80)
    // SAFETY: writes as many bytes as the array has.
    guard unsafe RAND_priv_bytes(&bytes, Int32(bytes.count)) == 1 else {
      throw TLSError.drainingQueue(otherwise: "no random bytes")
    }
    return Key(
      name: Array(bytes[..<16]), authenticator: Array(bytes[16..<48]), cipher: Array(bytes[48...]), createdAt: now)
  }

  /// The key that seals now.
  func sealingKey() -> Key? {
    let now = clock?()
    return keys.withLock { keys in
      guard let now else { return keys.first }
      Self.retire(&keys, at: now)
      if let first = keys.first, now - first.createdAt < Self.sealingSeconds { return first }
      guard let key = try? Self.makeKey(at: now) else { return nil }
      keys.insert(key, at: 0)
      return key
    }
  }

  /// The key of a ticket, and whether another one seals by now.
  func openingKey(named name: [UInt8]) -> (key: Key, isOld: Bool)? {
    let now = clock?()
    return keys.withLock { keys in
      if let now { Self.retire(&keys, at: now) }
      guard let index = keys.firstIndex(where: { $0.name == name }) else { return nil }
      let isOld = index > 0 || now.map { $0 - keys[index].createdAt >= Self.sealingSeconds } ?? false
      return (keys[index], isOld)
    }
  }

  private static func retire(_ keys: inout [Key], at now: Int64) {
    keys.removeAll { now - $0.createdAt >= sealingSeconds * Int64(1 + oldKeyCountMax) }
  }

  // MARK: The callback

  // SAFETY: fetched once and never freed. OpenSSL only reads them.
  nonisolated(unsafe) private static let aes128 = unsafe EVP_CIPHER_fetch(nil, "AES-128-CBC", nil)
  nonisolated(unsafe) private static let aes256 = unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

  /// What SSL_CTX_set_tlsext_ticket_key_evp_cb asks for: 1 for a key that is set, 2 to have the ticket renewed, 0 for
  /// none, -1 for an error.
  func prepare(
    _ name: UnsafeMutablePointer<UInt8>?, _ vector: UnsafeMutablePointer<UInt8>?, _ cipher: OpaquePointer?,
    _ authenticator: OpaquePointer?, isNew: Bool
  ) -> Int32 {
    guard let name = unsafe name, let vector = unsafe vector else { return -1 }
    // SAFETY: OpenSSL gives 16 bytes of name and EVP_MAX_IV_LENGTH (16) of vector, and contexts that are its own.
    if isNew {
      guard let key = sealingKey(), unsafe RAND_bytes(vector, 16) == 1 else { return -1 }
      for (index, byte) in key.name.enumerated() { unsafe name[index] = byte }
      return unsafe Self.set(key, cipher, authenticator, vector, isSealing: true) ? 1 : -1
    }
    let wanted = unsafe [UInt8](UnsafeBufferPointer(start: name, count: Self.nameByteCount))
    guard let (key, isOld) = openingKey(named: wanted) else { return 0 }
    guard unsafe Self.set(key, cipher, authenticator, vector, isSealing: false) else { return -1 }
    return isOld ? 2 : 1
  }

  private static func set(
    _ key: Key, _ cipher: OpaquePointer?, _ authenticator: OpaquePointer?, _ vector: UnsafePointer<UInt8>,
    isSealing: Bool
  ) -> Bool {
    let kind = unsafe key.cipher.count == 16 ? aes128 : aes256
    // SAFETY: the key is as long as its cipher requires. Contexts copy what they are given during the calls.
    guard unsafe EVP_CipherInit_ex(cipher, kind, nil, key.cipher, vector, isSealing ? 1 : 0) == 1 else { return false }
    var secret = key.authenticator
    var digest = Array("SHA256".utf8CString)
    return unsafe secret.withUnsafeMutableBytes { secret in
      unsafe digest.withUnsafeMutableBufferPointer { digest in
        let parameters = unsafe [
          OSSL_PARAM_construct_octet_string(catraca_param_mac_key(), secret.baseAddress, secret.count),
          OSSL_PARAM_construct_utf8_string(catraca_param_digest(), digest.baseAddress, 0), OSSL_PARAM_construct_end(),
        ]
        return unsafe EVP_MAC_CTX_set_params(authenticator, parameters) == 1
      }
    }
  }
}
