// Lists of revoked tokens: a denylist says the same in one piece and in many, and the fast reader of its lines agrees
// with the reader of all JSON. A status list's token is one that was signed, and no list is larger than the bound.

import Bytes
import Compression
import Cryptography
import Tokens

private let now: Int64 = 1_700_000_000

@_cdecl("fuzz_denylists")
func libFuzzDenylists(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzDenylists)
}

func fuzzDenylists(_ input: [UInt8]) throws {
  let whole = read(input, pieceByteCount: max(1, input.count))
  for size in [1, 3, 64] {
    let cut = read(input, pieceByteCount: size)
    switch (whole, cut) {
    case (.success(let a), .success(let b)): try expect(a.count == b.count, "another number of entries in pieces")
    case (.failure(let a), .failure(let b)): try expect(a == b, "\(a) as a whole, \(b) in pieces")
    default: throw Fault("a list in one way only")
    }
  }
  guard case .success(let table) = whole else { return }
  var start = 0
  while let end = input.span.firstIndex(of: 0x0A, from: start) {
    let line = input.span.extracting(start..<end)
    start = end + 1
    guard let entry = try? DenylistEntry.read(line), entry.times.until > now else { continue }
    try expect(
      table.includes(entry.selector, entry.name.span, issuedAt: nil, now: now), "an entry is not in the list")
  }
}

private func read(_ input: [UInt8], pieceByteCount: Int) -> Result<DenylistTable, DenylistError> {
  var reader = DenylistReader(now: now)
  do throws(DenylistError) {
    for start in stride(from: 0, to: input.count, by: pieceByteCount) {
      try reader.take(input.span.extracting(start..<min(start + pieceByteCount, input.count)))
    }
    return .success(try reader.finish())
  } catch {
    return .failure(error)
  }
}

/// The one key that no input can sign with, but this driver can.
private struct ListWorld: @unchecked Sendable {
  let key: SigningKey
  let keys: KeySet
  let rules: IssuerRules

  init() throws {
    key = try SigningKey(secret: Array("a secret of the fuzzers, thirty-two bytes and more".utf8))
    keys = try KeySet.parse(
      KeySetWriter.encode([(id: "s", key: key.publicKey, algorithm: .hs256)]).span, algorithms: [.hs256])
    var policy = IssuerPolicy(issuer: "i", audiences: [])
    policy.algorithms = [.hs256]
    rules = IssuerRules(policy)
  }
}

private let world = Result { try ListWorld() }
private let uri = Array("https://i/1".utf8)

@_cdecl("fuzz_status_lists")
func libFuzzStatusLists(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzStatusLists)
}

/// A first byte of 0 is in front of a token, and 1 in front of what zlib gets. Else it is a payload, which is signed.
func fuzzStatusLists(_ input: [UInt8]) throws {
  let world = try world.get()
  guard let first = input.first else { return }
  let rest = Array(input.dropFirst())
  if first == 1 {
    let inflated = ZlibInflater.inflate(rest, byteCountMax: 1 << 16)
    return try expect(inflated.map { $0.count <= 1 << 16 } ?? true, "larger than the bound")
  }
  var token = rest
  if first != 0 {
    token = try unwrap(
      encodeCompact(
        header: Array(#"{"alg":"HS256","typ":"statuslist+jwt","kid":"s"}"#.utf8), payload: input, key: world.key,
        scheme: SignatureAlgorithm.hs256.scheme), "cannot sign")
  }
  guard
    let facts = try? StatusListCheck.facts(
      in: token.span, from: uri, world.rules, world.keys, TokenVerifier(), now: now)
  else { return }
  try expect(first != 0, "a token that nobody signed")
  try expect([1, 2, 4, 8].contains(facts.bitCount) && now < facts.expiresAt, "facts that no list may have")
  guard let statuses = ZlibInflater.inflate(facts.compressed, byteCountMax: 1 << 16) else { return }
  let list = StatusList(facts, statuses: statuses)
  try expect(list.count == statuses.count * 8 / facts.bitCount, "another number of statuses")
  try expect(list.status(at: list.count) == nil && list.status(at: -1) == nil, "a status outside")
  for index in 0..<min(list.count, 64) {
    let bit = index * facts.bitCount
    let plain = (0..<facts.bitCount).reduce(UInt8(0)) { sum, offset in
      sum | (statuses[(bit + offset) / 8] >> UInt8((bit + offset) % 8) & 1) << UInt8(offset)
    }
    try expect(list.status(at: index) == plain, "another status than bit by bit")
  }
}
