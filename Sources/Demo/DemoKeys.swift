// The demo issuer's signing keys: one a family, made again on each rotation. They live in memory only.

internal import Cryptography
internal import Tokens

/// One generation of keys and the one before, so that tokens in flight survive a rotation.
struct DemoKeys: Sendable {
  struct Entry: Sendable {
    var id: String
    var algorithm: SignatureAlgorithm
    var key: SigningKey
  }

  static let algorithms: [SignatureAlgorithm] = [.rs256, .es256, .edDSA]

  private(set) var generation = 1
  private(set) var current: [Entry]
  private var previous: [Entry] = []

  init() throws(KeyError) { current = try Self.make(generation: 1) }

  /// New keys. Those before stay in the set for one more rotation, unless they are to be dropped at once.
  mutating func rotate(isDroppingOld: Bool) throws(KeyError) {
    let fresh = try Self.make(generation: generation + 1)
    generation += 1
    previous = isDroppingOld ? [] : current
    current = fresh
  }

  /// The key set document (RFC 7517 §5): public halves only.
  var document: [UInt8] {
    KeySetWriter.encode((current + previous).map { (id: $0.id, key: $0.key.publicKey, algorithm: $0.algorithm) })
  }

  private static func make(generation: Int) throws(KeyError) -> [Entry] {
    var entries: [Entry] = []
    for algorithm in algorithms {
      entries.append(
        Entry(id: "demo-\(generation)-\(algorithm.rawValue)", algorithm: algorithm, key: try key(for: algorithm)))
    }
    return entries
  }

  /// A key that fits the algorithm, in no key set: also what a forger would sign with.
  static func key(for algorithm: SignatureAlgorithm) throws(KeyError) -> SigningKey {
    switch algorithm {
    case .es256: try .generate(.ellipticCurve(.p256))
    case .edDSA: try .generate(.edwards(.ed25519))
    default: try .generate(.rsa(bitCount: 2048))
    }
  }
}
