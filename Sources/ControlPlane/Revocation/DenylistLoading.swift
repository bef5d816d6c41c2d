// One look at a denylist, wherever it is. Knows no state: the answer is a value.

internal import Bytes
internal import Configuration
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
}
