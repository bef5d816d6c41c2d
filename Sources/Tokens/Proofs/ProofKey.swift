// The key of a sender, ready to check its proofs. It is kept with the caller, so that a client's second request with a
// token costs no import of a key: its proofs begin with the same bytes each time.

import Bytes
import Cryptography
import JSON

/// Belongs to one worker, as the caller does that keeps it.
package final class ProofKey {
  /// The first part of the proof that it came with, in base64url: `typ`, `alg` and `jwk`, as they were written.
  let headerPart: [UInt8]
  /// RFC 7638.
  let thumbprint: [UInt8]
  package let algorithm: SignatureAlgorithm
  private let verifier: SignatureVerifier

  private static let typ = Array("typ".utf8)
  private static let alg = Array("alg".utf8)
  private static let jwk = Array("jwk".utf8)
  private static let crit = Array("crit".utf8)
  private static let b64 = Array("b64".utf8)
  private static let type = Array("dpop+jwt".utf8)
  private static let secret = Array("k".utf8)
  private static let algorithms = AlgorithmSet(SignatureAlgorithm.asymmetric)

  /// - Parameter headerPart: of a proof, in base64url.
  init(_ headerPart: Span<UInt8>) throws(ProofStep) {
    guard let bytes = Base64URL.decode(headerPart), let header = try? JSONDocument(bytes),
      header.kind(header.root) == .object, header.member(Self.crit, of: header.root) == nil,
      header.member(Self.b64, of: header.root) == nil
    else { throw .form }
    guard let type = header.member(Self.typ, of: header.root), header.stringEquals(type, Self.type.span) else {
      throw .type
    }
    guard let name = header.member(Self.alg, of: header.root).flatMap({ header.stringBytes(at: $0) }),
      let algorithm = SignatureAlgorithm.named(name.span), Self.algorithms.contains(algorithm)
    else { throw .algorithm }
    guard let node = header.member(Self.jwk, of: header.root), header.kind(node) == .object,
      // A client that shows its private key, or a secret, has none.
      !JWK.holdsPrivateMember(header, node), header.member(Self.secret, of: node) == nil,
      let key = try? JWK.read(header, node, allowed: Self.algorithms), key.mayVerify(algorithm),
      let verifier = SignatureVerifier(key: key.publicKey, scheme: algorithm.scheme)
    else { throw .key }
    self.headerPart = headerPart.copied()
    self.algorithm = algorithm
    self.verifier = verifier
    thumbprint = key.thumbprint
  }

  /// Whether it signed the first two parts of the proof.
  func hasSigned(_ message: Span<UInt8>, _ signature: Span<UInt8>) -> Bool {
    verifier.isValid(signature, over: message)
  }

  /// Bytes of memory, with what OpenSSL keeps for a key and its prepared contexts.
  var byteCount: Int { 4096 + headerPart.capacity }
}
