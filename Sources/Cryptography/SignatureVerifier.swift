// Checks signatures of one key under one scheme. Made once by a worker for a key and then used again and again: OpenSSL
// 3 takes longer to look its algorithms up than to check some signatures.
//
// Invariant: owned by one worker. Every context is set up in `init` and only ever used for the same operation.

internal import Bytes
internal import COpenSSL

/// Not Sendable: one a worker, key and scheme.
@safe
package final class SignatureVerifier {
  private let contexts: VerifierContexts
  private let kind: Kind
  /// Exact length that a signature must have.
  private let signatureByteCount: Int
  private let digestByteCount: Int
  private var digest = [UInt8](repeating: 0, count: 64)
  private var signatureScratch: [UInt8] = []

  private enum Kind {
    case rsa
    case ecdsa(coordinateByteCount: Int)
    case edDSA
    case hmac
  }

  /// nil when the key does not fit the scheme, or OpenSSL cannot do it.
  package init?(key: PublicKey, scheme: SignatureScheme) {
    guard scheme.fits(key.components) else { return nil }
    guard let contexts = VerifierContexts.make(key, scheme) else {
      ERR_clear_error()
      return nil
    }
    self.contexts = contexts
    digestByteCount = scheme.digest?.byteCount ?? 0
    switch key.components {
    case .rsa(let modulus, _):
      kind = .rsa
      signatureByteCount = modulus.count
    case .ellipticCurve(let curve, _, _):
      kind = .ecdsa(coordinateByteCount: curve.coordinateByteCount)
      signatureByteCount = 2 * curve.coordinateByteCount
      signatureScratch = [UInt8](repeating: 0, count: DER.signatureByteCountMax)
    case .edwards(let curve, _):
      kind = .edDSA
      signatureByteCount = curve.signatureByteCount
    case .secret:
      kind = .hmac
      signatureByteCount = digestByteCount
    }
  }

  /// Whether `signature` is this key's over `message`. Allocates nothing of its own.
  package func isValid(_ signature: Span<UInt8>, over message: Span<UInt8>) -> Bool {
    if signature.count != signatureByteCount { return false }
    let isValid: Bool
    switch kind {
    case .rsa:
      isValid = digestMessage(message) && verifyDigest(signature)
    case .ecdsa(let coordinateByteCount):
      // T07, T08: checked here before OpenSSL sees it.
      guard
        let count = DER.encodeSignature(signature, coordinateByteCount: coordinateByteCount, into: &signatureScratch)
      else { return false }
      let encoded = signatureScratch
      isValid = digestMessage(message) && verifyDigest(encoded.span.extracting(0..<count))
    case .edDSA:
      isValid = verifyWhole(signature, message)
    case .hmac:
      guard authenticate(message) else { return false }
      let code = digest
      return ConstantTime.areEqual(code.span.extracting(0..<signatureByteCount), signature)
    }
    // Reasons that nobody reads would be taken for those of the next TLS call on this thread.
    if !isValid { ERR_clear_error() }
    return isValid
  }

  private func digestMessage(_ message: Span<UInt8>) -> Bool {
    // SAFETY: `digest` has room for the longest digest. The message is only read during the calls.
    unsafe digest.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        unsafe EVP_DigestInit_ex2(contexts.digestContext, contexts.messageDigest, nil) == 1
          && EVP_DigestUpdate(contexts.digestContext, input.baseAddress, input.count) == 1
          && EVP_DigestFinal_ex(contexts.digestContext, output.baseAddress, nil) == 1
      }
    }
  }

  private func verifyDigest(_ signature: Span<UInt8>) -> Bool {
    let digestByteCount = self.digestByteCount
    // SAFETY: both buffers are only read during the call, within their counts.
    return unsafe digest.withUnsafeBufferPointer { digest in
      unsafe signature.withUnsafeBufferPointer { signature in
        unsafe EVP_PKEY_verify(
          contexts.keyContext, signature.baseAddress, signature.count, digest.baseAddress, digestByteCount) == 1
      }
    }
  }

  private func verifyWhole(_ signature: Span<UInt8>, _ message: Span<UInt8>) -> Bool {
    // SAFETY: as above. The context keeps its key: nil in all places begins again with the same.
    unsafe signature.withUnsafeBufferPointer { signature in
      unsafe message.withUnsafeBufferPointer { message in
        unsafe EVP_DigestVerifyInit_ex(contexts.digestContext, nil, nil, nil, nil, nil, nil) == 1
          && EVP_DigestVerify(
            contexts.digestContext, signature.baseAddress, signature.count, message.baseAddress, message.count)
            == 1
      }
    }
  }

  private func authenticate(_ message: Span<UInt8>) -> Bool {
    var count = 0
    let signatureByteCount = self.signatureByteCount
    // SAFETY: `digest` has room for 64 bytes, the longest code. A nil key begins again with the same one.
    return unsafe digest.withUnsafeMutableBufferPointer { output in
      unsafe message.withUnsafeBufferPointer { input in
        unsafe EVP_MAC_init(contexts.authenticatorContext, nil, 0, nil) == 1
          && EVP_MAC_update(contexts.authenticatorContext, input.baseAddress, input.count) == 1
          && EVP_MAC_final(contexts.authenticatorContext, output.baseAddress, &count, output.count) == 1
          && count == signatureByteCount
      }
    }
  }
}
