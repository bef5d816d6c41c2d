// A denylist that is a stream in Redis: read on from the entry that was last.

internal import Proxy
internal import Tokens

/// Where a denylist is in a store, and who hears that it has changed there.
struct WatchedStream: Sendable {
  let store: String
  let key: [UInt8]
  let changed: @Sendable () -> Void
}

struct DenylistStreamReader: Sendable {
  let environment: RevocationEnvironment
  let stream: WatchedStream

  /// LIMIT: entries of one reply.
  private static let pageCount = 500

  /// Reads on where the mark is. Where entries are gone, all of it is read again.
  func load(_ mark: DenylistMark, _ known: Denylist?) async -> DenylistResult {
    guard let known, !mark.lastID.isEmpty else { return await readAll() }
    var (list, fresh) = (known, mark)
    guard await readOn(&list, &fresh), let count = await entryCount() else {
      return .failed(.storeUnavailable, DenylistMark())
    }
    // Some were taken away, or it is another server's.
    if count != fresh.entryCount { return await readAll() }
    if fresh == mark { return .unchanged }
    return fresh.fault.map { .failed($0, fresh, list: list) } ?? .loaded(list, fresh, body: [])
  }

  private func readAll() async -> DenylistResult {
    guard let count = await entryCount() else { return .failed(.storeUnavailable, DenylistMark()) }
    if count == 0 { return .failed(RevocationFailure(DenylistError.empty), DenylistMark()) }
    if count > DenylistReader.entryCountMax {
      return .failed(RevocationFailure(DenylistError.tooManyEntries), DenylistMark())
    }
    var table = DenylistTable()
    table.reserve(Int(count))
    var list = Denylist(table)
    var mark = DenylistMark()
    guard await readOn(&list, &mark) else { return .failed(.storeUnavailable, DenylistMark()) }
    return mark.fault.map { .failed($0, mark, list: list) } ?? .loaded(list, mark, body: [])
  }

  private func entryCount() async -> Int64? {
    guard case .integer(let count)? = await ask([Self.text("XLEN"), stream.key]) else { return nil }
    return count
  }

  /// Entries that are none are noted in the mark. The others are taken all the same, for they may revoke something.
  /// - Returns: false where the store does not answer.
  private func readOn(_ list: inout Denylist, _ mark: inout DenylistMark) async -> Bool {
    while true {
      let start = mark.lastID.isEmpty ? Self.text("-") : Self.text("(") + mark.lastID
      let command = [
        Self.text("XRANGE"), stream.key, start, Self.text("+"), Self.text("COUNT"), Self.text("\(Self.pageCount)"),
      ]
      guard case .list(let entries)? = await ask(command) else {
        return false
      }
      let now = environment.wallTime()
      for entry in entries {
        guard case .list(let parts) = entry, parts.count == 2, case .bytes(let id) = parts[0], !id.isEmpty else {
          return false
        }
        mark.lastID = id
        mark.entryCount += 1
        do throws(DenylistFault) {
          if let entry = try DenylistEntry.read(fields: Self.fields(parts[1])), entry.times.until > now {
            list.insert(entry)
          }
        } catch {
          let words = "entry \(String(decoding: id, as: UTF8.self).prefix(40)): \(error.rawValue)"
          mark.fault = mark.fault ?? .listInvalid(code: "line_invalid", words: words)
        }
      }
      if entries.count < Self.pageCount { return true }
    }
  }

  /// Whatever is asked, the store reports the next change.
  private func ask(_ command: [[UInt8]]) async -> StoreReply? {
    await environment.ask(stream.store, command, stream.key, stream.changed)
  }

  private static func fields(_ reply: StoreReply) -> [[UInt8]] {
    guard case .list(let parts) = reply else { return [] }
    return parts.map { if case .bytes(let bytes) = $0 { bytes } else { [] } }
  }

  private static func text(_ word: String) -> [UInt8] { Array(word.utf8) }
}
