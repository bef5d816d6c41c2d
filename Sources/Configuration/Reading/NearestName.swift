// "Did you mean": the known name that is closest to a misspelt one.

/// The known name within a third of the length (at least one, at most three edits), or nil when none is near enough.
package func nearestName(to name: String, among known: [String]) -> String? {
  // LIMIT: a name of over 64 bytes is near to none of ours. This bounds the work.
  guard name.utf8.count <= 64 else { return nil }
  let target = folded(name)
  var best: (distance: Int, name: String)?
  for candidate in known {
    let allowed = min(3, max(1, max(target.count, candidate.utf8.count) / 3))
    // Each edit makes one byte of difference at most.
    if abs(target.count - candidate.utf8.count) > allowed { continue }
    let distance = editDistance(target, folded(candidate))
    if distance <= allowed, distance < best?.distance ?? Int.max { best = (distance, candidate) }
  }
  if let best { return best.name }
  // `jwks_uri` for `jwks`, `size` for nothing: a known name that the other begins with, or that begins with it.
  let text = name.lowercased()
  return text.utf8.count < 3
    ? nil : known.first { $0.utf8.count >= 4 && (text.hasPrefix($0.lowercased()) || $0.lowercased().hasPrefix(text)) }
}

/// The bytes in small letters, and `_` for `-`.
private func folded(_ name: String) -> [UInt8] {
  name.utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1] + [Int](repeating: 0, count: b.count)
    for j in 0..<b.count {
      row[j + 1] = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1) }
    }
    beforeLast = last
    last = row
  }
  return last[b.count]
}
