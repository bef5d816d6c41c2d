// Everybody's sessions in a store: its servers are gone through, one step of `SCAN` after the other, so that none of
// them is held up. What begins or ends meanwhile may be missing, or be shown still.

internal import Proxy
internal import Tokens

extension RedisSessions {
  /// LIMIT: what is shown of the list.
  private static let shownCountMax = MemorySessions.shownCountMax
  /// LIMIT: keys that are looked at with one step, and steps. A store with more is not gone through to its end.
  private static let stepKeyCount = "1000"
  private static let stepCountMax = 2000

  package func list() async throws(SessionListUnavailable) -> [SessionSummary] {
    var found: [SessionSummary] = []
    var seen: Set<[UInt8]> = []
    var server = 0
    var cursor = Self.start
    for _ in 0..<Self.stepCountMax {
      let command = [
        Self.text("SCAN"), cursor, Self.text("MATCH"), pattern, Self.text("COUNT"), Self.text(Self.stepKeyCount),
      ]
      let reply = try await ask(command, at: .server(server))
      // There is no such server: the one before was the last.
      if reply == .null { break }
      guard case .list(let parts) = reply, parts.count == 2, case .bytes(let next) = parts[0],
        case .list(let keys) = parts[1]
      else { throw SessionListUnavailable() }
      // A step may name a key that another has named.
      let fresh = keys.compactMap(digest(in:)).filter { seen.insert($0).inserted }
      found += try await summaries(of: fresh.prefix(Self.shownCountMax - found.count))
      if found.count >= Self.shownCountMax { break }
      cursor = next
      if next == Self.start { server += 1 }
    }
    return found.sorted { ($0.beganAt, $0.subject) < ($1.beganAt, $1.subject) }
  }

  private static let start = Array("0".utf8)

  private func digest(in key: StoreReply) -> [UInt8]? {
    guard case .bytes(let bytes) = key else { return nil }
    return SessionStoreKey.digest(of: bytes.span, prefix: prefix)
  }

  /// The prefix means itself, whatever signs are in it.
  private var pattern: [UInt8] {
    let escaped = prefix.flatMap { byte in "*?[]^-\\".utf8.contains(byte) ? [UInt8(ascii: "\\"), byte] : [byte] }
    return escaped + Self.text("session:*")
  }
}
