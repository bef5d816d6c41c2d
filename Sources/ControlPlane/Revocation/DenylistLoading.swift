// One look at a denylist, wherever it is. Knows no state: the answer is a value.

internal import Bytes
internal import Configuration
internal import Proxy
internal import TLS
internal import Tokens

/// Where a look at a denylist begins: what is known of the one that is there.
struct DenylistMark: Sendable, Equatable {
  /// Of a file.
  var signature: FileSignature?
  /// Of a URL.
  var version: String?
  /// Of a stream: the id of the last entry, and how many entries there are.
  var lastID: [UInt8] = []
  var entryCount: Int64 = 0
  /// What was wrong with the first of them that is none. They stay there, and so does this.
  var fault: RevocationFailure?
}

enum DenylistResult: Sendable {
  case loaded(Denylist, DenylistMark, body: [UInt8])
  /// It is as it was.
  case unchanged
  /// - list: what could be read nevertheless, of a list that only grows.
  case failed(RevocationFailure, DenylistMark, list: Denylist? = nil)
}

struct DenylistLoader: Sendable {
  let environment: RevocationEnvironment

  // MARK: Files

  func load(file path: String, _ mark: DenylistMark) -> DenylistResult {
    // Taken before the content: what changes in between is seen next time.
    let signature = environment.files.signature(of: path)
    if signature == mark.signature { return .unchanged }
    let fresh = DenylistMark(signature: signature)
    do throws(DenylistFile.Fault) {
      var lineCount = 0
      // What is wrong here is so at the second reading.
      try? environment.files.readPieces(path, byteCountMax: DenylistReader.byteCountMax) { piece in
        for byte in piece where byte == 0x0A { lineCount += 1 }
      }
      let table = try DenylistFile.table(
        path, environment.files, now: environment.wallTime(), expected: lineCount)
      return .loaded(Denylist(table), fresh, body: [])
    } catch {
      switch error {
      case .invalid(let error): return .failed(RevocationFailure(error), fresh)
      case .unreadable(let error): return .failed(.fileUnreadable("\(path): \(error.reason)"), fresh)
      }
    }
  }

  // MARK: URLs

  func load(url: String, _ issuer: Issuer, _ mark: DenylistMark) async -> DenylistResult {
    var terms = FetchTerms()
    terms.accept = "application/jsonl, application/x-ndjson;q=0.9, */*;q=0.1"
    terms.knownVersion = mark.version
    let trust = Trust(file: issuer.certificateAuthority)
    switch await environment.fetch(url, trust, terms, DenylistReader.byteCountMax) {
    case .failure(let error): return .failed(.fetch(error), mark)
    case .success(let document) where document.status == 304: return .unchanged
    case .success(let document):
      do throws(DenylistError) {
        let list = try Self.list(of: document.body, now: environment.wallTime())
        return .loaded(list, DenylistMark(version: document.version), body: document.body)
      } catch {
        return .failed(RevocationFailure(error), mark)
      }
    }
  }

  static func list(of body: [UInt8], now: Int64) throws(DenylistError) -> Denylist {
    var lineCount = 0
    for byte in body where byte == 0x0A { lineCount += 1 }
    var reader = DenylistReader(now: now, expected: lineCount)
    try reader.take(body.span)
    return Denylist(try reader.finish())
  }

  // MARK: Redis

  /// LIMIT: entries of one reply.
  private static let pageCount = 500

  /// Reads on where the mark is. Where entries are gone, all of it is read again.
  func load(stream key: [UInt8], of store: String, _ mark: DenylistMark, _ known: Denylist?) async -> DenylistResult {
    guard let known, !mark.lastID.isEmpty else { return await readAll(key, store) }
    var (list, fresh) = (known, mark)
    guard await readOn(key, store, &list, &fresh), let count = await entryCount(key, store) else {
      return .failed(.storeUnavailable, DenylistMark())
    }
    // Some were taken away, or it is another server's.
    if count != fresh.entryCount { return await readAll(key, store) }
    if fresh == mark { return .unchanged }
    return fresh.fault.map { .failed($0, fresh, list: list) } ?? .loaded(list, fresh, body: [])
  }

  private func readAll(_ key: [UInt8], _ store: String) async -> DenylistResult {
    guard let count = await entryCount(key, store) else { return .failed(.storeUnavailable, DenylistMark()) }
    if count == 0 { return .failed(RevocationFailure(DenylistError.empty), DenylistMark()) }
    if count > DenylistReader.entryCountMax {
      return .failed(RevocationFailure(DenylistError.tooManyEntries), DenylistMark())
    }
    var table = DenylistTable()
    table.reserve(Int(count))
    var list = Denylist(table)
    var mark = DenylistMark()
    guard await readOn(key, store, &list, &mark) else { return .failed(.storeUnavailable, DenylistMark()) }
    return mark.fault.map { .failed($0, mark, list: list) } ?? .loaded(list, mark, body: [])
  }

  private func entryCount(_ key: [UInt8], _ store: String) async -> Int64? {
    guard case .integer(let count)? = await environment.ask(store, [Self.text("XLEN"), key], key) else { return nil }
    return count
  }

  /// Entries that are none are noted in the mark. The others are taken all the same, for they may revoke something.
  /// - Returns: false where the store does not answer.
  private func readOn(
    _ key: [UInt8], _ store: String, _ list: inout Denylist, _ mark: inout DenylistMark
  ) async -> Bool {
    while true {
      let start = mark.lastID.isEmpty ? Self.text("-") : Self.text("(") + mark.lastID
      let command = [
        Self.text("XRANGE"), key, start, Self.text("+"), Self.text("COUNT"), Self.text("\(Self.pageCount)"),
      ]
      guard case .list(let entries)? = await environment.ask(store, command, key) else {
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

  private static func fields(_ reply: StoreReply) -> [[UInt8]] {
    guard case .list(let parts) = reply else { return [] }
    return parts.map { if case .bytes(let bytes) = $0 { bytes } else { [] } }
  }

  private static func text(_ word: String) -> [UInt8] { Array(word.utf8) }
}
