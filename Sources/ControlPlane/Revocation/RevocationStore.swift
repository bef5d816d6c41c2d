// The last good lists on disk, so that a restart while a list cannot be fetched does not shut everybody out. A denylist
// that is a file is on the disk already, and one in Redis is there.

internal import Bytes
internal import Configuration
internal import Cryptography
internal import JSON
internal import Tokens

/// The files `revoked-<issuer's name>.jsonl` and `status-<issuer's name>-<digest>.json` of a state directory.
struct RevocationStore: Sendable {
  let directory: String
  let files: SystemFiles

  struct Stored {
    /// When it was last known to be the newest, in seconds since 1970.
    var fetchedAt: Int64
    var version: String?
    /// What was fetched.
    var body: [UInt8]
  }

  func path(ofDenylist issuer: String) -> String { "\(directory)/revoked-\(KeySetStore.encoded(issuer)).jsonl" }

  func path(ofList uri: [UInt8], of issuer: String) -> String {
    var digits = ByteQueue()
    digits.append(digest: SHA256.digest(uri.span), count: 16)
    return "\(directory)/status-\(KeySetStore.encoded(issuer))-\(digits.text()).json"
  }

  /// The first line says what the rest is.
  /// - Parameter source: nil is returned for another one's.
  func read(_ path: String, source: String, byteCountMax: Int) throws(FileError) -> Stored? {
    if files.signature(of: path) == .missing { return nil }
    try checkFolder()
    let bytes = try files.readOwn(path, byteCountMax: byteCountMax + 4096)
    guard let end = bytes.span.firstIndex(of: 0x0A), let document = try? JSONDocument(Array(bytes[..<end])),
      let fetchedAt = document.member("fetched_at", of: document.root).flatMap({ document.integer(at: $0) }),
      let named = document.member("source", of: document.root).flatMap({ document.string(at: $0) })
    else { throw FileError("\(path) is not a stored list") }
    if named != source { return nil }
    let version = document.member("etag", of: document.root).flatMap { document.string(at: $0) }
    return Stored(fetchedAt: fetchedAt, version: version, body: Array(bytes[(end + 1)...]))
  }

  func write(_ stored: Stored, to path: String, source: String) throws(FileError) {
    var out = ByteQueue()
    out.append("{\"source\":")
    JSONWriter.append(string: source, to: &out)
    out.append(",\"fetched_at\":")
    JSONWriter.append(integer: stored.fetchedAt, to: &out)
    if let version = stored.version {
      out.append(",\"etag\":")
      JSONWriter.append(string: version, to: &out)
    }
    out.append("}\n")
    out.append(stored.body)
    try checkFolder()
    try files.replace(path, with: out.copied())
  }

  /// Anyone who may write a file there could bring revoked tokens back (T88).
  private func checkFolder() throws(FileError) {
    if let problem = files.folderProblem(directory) { throw FileError(problem) }
  }
}
