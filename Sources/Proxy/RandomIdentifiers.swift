// Request and trace ids. They distinguish requests and are not secret, so a small generator with a random seed serves.

/// xoroshiro128++ (Blackman and Vigna), seeded per worker from the system's random source.
struct RandomIdentifiers {
  private var s0: UInt64
  private var s1: UInt64

  init(seed: (UInt64, UInt64)) {
    s0 = seed.0
    s1 = seed.1 | 1
  }

  mutating func next() -> UInt64 {
    let sum = s0 &+ s1
    let result = (sum << 17 | sum >> 47) &+ s0
    s1 ^= s0
    s0 = (s0 << 49 | s0 >> 15) ^ s1 ^ (s1 << 21)
    s1 = s1 << 28 | s1 >> 36
    return result
  }
}
