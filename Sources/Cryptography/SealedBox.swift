// Bytes that others keep for us and can neither read nor change: AES-256-GCM (NIST SP 800-38D).

internal import Bytes
internal import COpenSSL

/// One key.
package struct SealingKey: Sendable {
  static let keyByteCount = 32
  static let nonceByteCount = 12
  static let tagByteCount = 16

  private let bytes: [UInt8]

  /// Nil for anything but 32 bytes.
  init?(_ bytes: [UInt8]) {
    if bytes.count != Self.keyByteCount { return nil }
    self.bytes = bytes
  }

  /// Ciphertext and tag. Nil when OpenSSL cannot do it.
  /// - Parameters:
  ///   - nonce: 12 bytes that were never used with this key.
  ///   - context: what opens it must be given as well.
  func seal(_ plaintext: Span<UInt8>, nonce: [UInt8], context: Span<UInt8>) -> [UInt8]? {
    var output = [UInt8](repeating: 0, count: plaintext.count + Self.tagByteCount)
    let plaintextCount = plaintext.count
    let isDone = unsafe run(isSealing: true, nonce, context) { cipher in
      // SAFETY: GCM writes as many bytes as it reads, and then the tag behind them: the output has room for both.
      unsafe output.withUnsafeMutableBufferPointer { output in
        guard let start = output.baseAddress else { return false }
        var count: Int32 = 0
        let isSealed = unsafe plaintext.withUnsafeBufferPointer { input in
          unsafe input.isEmpty
            || EVP_EncryptUpdate(cipher, start, &count, input.baseAddress, Int32(clamping: input.count)) == 1
        }
        let tag = unsafe start + plaintextCount
        return unsafe isSealed && EVP_EncryptFinal_ex(cipher, tag, &count) == 1
          && catraca_EVP_get_tag(cipher, tag, Int32(Self.tagByteCount)) == 1
      }
    }
    return isDone ? output : nil
  }

  /// The plaintext, if this key has sealed it with this nonce and context.
  func open(_ sealed: Span<UInt8>, nonce: [UInt8], context: Span<UInt8>) -> [UInt8]? {
    let count = sealed.count - Self.tagByteCount
    if count < 0 { return nil }
    // One byte more, so that there is an address even for nothing.
    var output = [UInt8](repeating: 0, count: count + 1)
    var tag = sealed.extracting(last: Self.tagByteCount).copied()
    let isDone = unsafe run(isSealing: false, nonce, context) { cipher in
      // SAFETY: GCM writes as many bytes as it reads, which are `count`. OpenSSL copies the tag's 16 bytes.
      unsafe output.withUnsafeMutableBufferPointer { output in
        unsafe tag.withUnsafeMutableBufferPointer { tag in
          guard let start = output.baseAddress else { return false }
          var written: Int32 = 0
          let isRead = unsafe sealed.withUnsafeBufferPointer { input in
            unsafe count == 0
              || EVP_DecryptUpdate(cipher, start, &written, input.baseAddress, Int32(clamping: count)) == 1
          }
          return unsafe isRead && catraca_EVP_set_tag(cipher, tag.baseAddress, Int32(Self.tagByteCount)) == 1
            && EVP_DecryptFinal_ex(cipher, start + count, &written) == 1
        }
      }
    }
    return isDone ? Array(output.prefix(count)) : nil
  }

  /// Prepares the cipher, gives it what is authenticated beside the text, and frees it after `body`.
  private func run(
    isSealing: Bool, _ nonce: [UInt8], _ context: Span<UInt8>, _ body: (OpaquePointer) -> Bool
  ) -> Bool {
    guard nonce.count == Self.nonceByteCount, context.count <= Int32.max, let cipher = unsafe EVP_CIPHER_CTX_new()
    else { return false }
    defer { unsafe EVP_CIPHER_CTX_free(cipher) }
    // SAFETY: key and nonce have the lengths that the cipher reads, 32 and 12 bytes.
    let isReady = unsafe bytes.withUnsafeBufferPointer { key in
      unsafe nonce.withUnsafeBufferPointer { nonce in
        unsafe EVP_CipherInit_ex(
          cipher, EVP_aes_256_gcm(), nil, key.baseAddress, nonce.baseAddress, isSealing ? 1 : 0) == 1
      }
    }
    var count: Int32 = 0
    // SAFETY: without an output the input is authenticated only.
    let isBound = unsafe context.withUnsafeBufferPointer { input in
      unsafe input.isEmpty
        || EVP_CipherUpdate(cipher, nil, &count, input.baseAddress, Int32(clamping: input.count)) == 1
    }
    let isDone = unsafe isReady && isBound && body(cipher)
    if !isDone { ERR_clear_error() }
    return isDone
  }
}

/// The keys that a list of secrets gives for one purpose. The first one seals and all of them open, so that a secret
/// can be replaced while what the last one has sealed is still about.
package struct SealingKeys: Sendable {
  private let keys: [SealingKey]
  /// In front of each box. Another form would have another number.
  private static let version: UInt8 = 1

  /// Nil without any secret, or when OpenSSL cannot derive a key.
  /// - Parameter purpose: boxes of another purpose do not open.
  package init?(secrets: [[UInt8]], purpose: StaticString) {
    let label = Array("catraca \(purpose)".utf8)
    var keys: [SealingKey] = []
    for secret in secrets {
      guard let bytes = KeyDerivation.derive(SealingKey.keyByteCount, from: secret.span, label: label.span),
        let key = SealingKey(bytes)
      else { return nil }
      keys.append(key)
    }
    if keys.isEmpty { return nil }
    self.keys = keys
  }

  /// Version, nonce, ciphertext and tag: 29 bytes more than the plaintext. Nil without randomness.
  /// - Parameter context: the place that the box belongs to. In another one it does not open.
  // Nonces are random: a key may seal 2^32 boxes before two of them are likely to meet (SP 800-38D §8.3).
  package func seal(_ plaintext: Span<UInt8>, context: Span<UInt8>) -> [UInt8]? {
    guard let nonce = RandomBytes.make(SealingKey.nonceByteCount),
      let sealed = keys.first?.seal(plaintext, nonce: nonce, context: context)
    else { return nil }
    return [Self.version] + nonce + sealed
  }

  /// What was sealed by any of the keys, for this purpose and context. Nil for everything else.
  package func open(_ box: Span<UInt8>, context: Span<UInt8>) -> [UInt8]? {
    let start = 1 + SealingKey.nonceByteCount
    guard box.count >= start + SealingKey.tagByteCount, box[0] == Self.version else { return nil }
    let nonce = box.extracting(1..<start).copied()
    for key in keys {
      if let plaintext = key.open(box.extracting(start..<box.count), nonce: nonce, context: context) {
        return plaintext
      }
    }
    return nil
  }
}
