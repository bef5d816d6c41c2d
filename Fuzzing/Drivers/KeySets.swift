// Key sets: every key in one is fit to be believed, and is found under its own name.

import Bytes
import Cryptography
import JSON
import Tokens

@_cdecl("fuzz_key_sets")
func libFuzzKeySets(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzKeySets)
}

func fuzzKeySets(_ input: [UInt8]) throws {
  guard let first = input.first else { return }
  let text = Array(input.dropFirst())
  var algorithms = SignatureAlgorithm.asymmetric
  if first & 1 == 1 { algorithms.insert(.hs256) }
  let set: KeySet
  do {
    set = try KeySet.parse(text.span, algorithms: algorithms)
  } catch {
    return
  }
  try expect(!set.keys.isEmpty && set.keys.count + set.dropped.count <= KeySet.keyCountMax, "no keys, or too many")
  for key in set.keys {
    try expect(!key.algorithms.isEmpty && key.algorithms.isSubset(of: algorithms), "an algorithm that is not allowed")
    try checkStrength(key.publicKey.components)
    for algorithm in key.algorithms {
      guard let keyID = key.keyID else {
        try expect(set.keys(for: algorithm).allSatisfy { $0.mayVerify(algorithm) }, "found for what it may not do")
        continue
      }
      let found = try unwrap(set.key(id: keyID.span, for: algorithm), "a key that is not found by its name")
      try expect(found.keyID == keyID && set.hasKey(id: keyID.span), "a key that is found under another name")
      try expect(found.mayVerify(algorithm), "a key that is found for what it may not do")
    }
  }
  try checkRoundTrip(set, algorithms)
}

private func checkStrength(_ components: PublicKey.Components) throws {
  switch components {
  case .rsa(let modulus, let exponent):
    try expect(modulus.count >= 256 && modulus.count <= 1024 && modulus[0] != 0, "RSA of \(modulus.count) bytes")
    try expect((modulus.last ?? 0) & 1 == 1, "an even modulus")
    try expect((exponent.last ?? 0) & 1 == 1 && exponent != [1], "an exponent that hides nothing")
  case .ellipticCurve(let curve, let x, let y):
    try expect(x.count == curve.coordinateByteCount && y.count == x.count, "coordinates of another curve")
  case .edwards(let curve, let x):
    try expect(x.count == curve.keyByteCount, "a key of another curve")
    try expect(!x.allSatisfy { $0 == 0 } && !(x[0] == 1 && x.dropFirst().allSatisfy { $0 == 0 }), "a key that fits all")
  case .secret(let secret): try expect(!secret.isEmpty, "an empty secret")
  }
}

/// Written out and read again, the keys are the same.
private func checkRoundTrip(_ set: KeySet, _ algorithms: Set<SignatureAlgorithm>) throws {
  let entries = set.keys.map { key in
    (
      id: key.keyID.map { String(decoding: $0, as: UTF8.self) }, key: key.publicKey,
      algorithm: nil as SignatureAlgorithm?
    )
  }
  let written = KeySetWriter.encode(entries)
  let again = try KeySet.parse(written.span, algorithms: algorithms)
  try expect(again.keys.map(\.thumbprint) == set.keys.map(\.thumbprint), "other keys when they are read again")
  try expect(again.keys.map(\.keyID) == set.keys.map(\.keyID), "other names when they are read again")
}
