// The last good key sets on disk, so that a restart while an issuer is down does not shut everyone out.
// Invariant: only members of public keys are ever written, by a list of what may be, never of what may not.

internal import Bytes
internal import Configuration
internal import JSON
internal import Tokens

/// The files `keys-<issuer's name>.json` of a state directory.
struct KeySetStore: Sendable {
  let directory: String
  let files: any KeySetFiles

  /// A key set as it lies on disk. The file is a key set itself (RFC 7517 §5) with a few members more.
  struct Stored {
    var keySet: KeySet
    var body: [UInt8]
    var fetchedAt: Int64
  }

  /// What a source is called in the file. Nil for those that are on this machine already.
  static func source(of issuer: Issuer) -> String? {
    switch issuer.keys {
    case .url(let url): url
    case .discovery(let url): "discovery:" + url
    case .inline, .file, .absent: nil
    }
  }

  func path(of issuer: Issuer) -> String { directory + "/keys-" + Self.encoded(issuer.name) + ".json" }

  /// Names of issuers may hold anything: bytes other than letters, digits, `-` and `_` are written as `%XX`.
  static func encoded(_ issuer: String) -> String {
    var name = ""
    for byte in issuer.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F:
        name.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        name += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return name
  }

  /// The stored set of the issuer, nil when there is none or it belongs to another source.
  /// - Throws: what is wrong with the file, for the log.
  func read(_ issuer: Issuer) throws(FileError) -> Stored? {
    let path = path(of: issuer)
    guard let source = Self.source(of: issuer), files.signature(of: path) != .missing else { return nil }
    try checkFolder()
    let bytes = try files.readOwn(path, byteCountMax: KeySetLoader.byteCountMax * 2)
    do {
      let document = try JSONDocument(bytes, limits: JSONLimits(nodeCountMax: 100_000))
      guard document.kind(document.root) == .object,
        let fetchedAt = document.member("fetched_at", of: document.root).flatMap({ document.integer(at: $0) }),
        let stored = document.member("source", of: document.root).flatMap({ document.string(at: $0) })
      else { throw FileError("members are missing") }
      guard stored == source else { return nil }
      // Secrets are never written, so none may be read: a file that holds one was not written by us.
      let algorithms = issuer.policy.algorithms.intersection(SignatureAlgorithm.asymmetric)
      let keySet = try KeySet.parse(bytes.span, algorithms: algorithms)
      return Stored(keySet: keySet, body: bytes, fetchedAt: fetchedAt)
    } catch let error as FileError {
      throw error
    } catch {
      throw FileError("not a stored key set: \(error)")
    }
  }

  /// Writes the public keys of a set that was just loaded.
  func write(_ body: [UInt8], of issuer: Issuer, origin: String, fetchedAt: Int64) throws(FileError) {
    guard let source = Self.source(of: issuer) else { return }
    guard let content = Self.encode(body, issuer: issuer, source: source, origin: origin, fetchedAt: fetchedAt) else {
      return
    }
    try checkFolder()
    try files.replace(path(of: issuer), with: content)
  }

  /// Anyone who may write a file there could choose the keys (T88).
  private func checkFolder() throws(FileError) {
    if let problem = files.folderProblem(directory) { throw FileError(problem) }
  }

  /// Members that a public key may have (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). `d`, `p`, `k` and their kin are not
  /// among them.
  private static let publicMembers = Set([
    "kty", "kid", "x5t", "x5t#S256", "use", "key_ops", "alg", "n", "e", "crv", "x", "y",
  ])
  private static let publicTypes = Set(["RSA", "EC", "OKP"])

  /// Nil when the set holds no public key.
  static func encode(
    _ body: [UInt8], issuer: Issuer, source: String, origin: String, fetchedAt: Int64
  ) -> [UInt8]? {
    guard let set = try? JSONDocument(body, limits: JSONLimits(nodeCountMax: 100_000)),
      set.kind(set.root) == .object, let keys = set.member("keys", of: set.root)
    else { return nil }
    var out = ByteQueue()
    out.append("{\"issuer\":")
    JSONWriter.append(string: issuer.policy.issuer, to: &out)
    out.append(",\"source\":")
    JSONWriter.append(string: source, to: &out)
    out.append(",\"origin\":")
    JSONWriter.append(string: origin, to: &out)
    out.append(",\"fetched_at\":")
    JSONWriter.append(integer: fetchedAt, to: &out)
    out.append(",\"keys\":[")
    var keyCount = 0
    for key in set.elements(of: keys) {
      guard let type = set.member("kty", of: key).flatMap({ set.string(at: $0) }), publicTypes.contains(type) else {
        continue
      }
      // Without these members it would come back as a key that the set itself never had.
      if JWK.holdsPrivateMember(set, key) { continue }
      out.append(keyCount == 0 ? "{" : ",{")
      keyCount += 1
      var memberCount = 0
      for member in set.members(of: key) {
        guard let name = set.string(at: member.name), publicMembers.contains(name) else { continue }
        if memberCount > 0 { out.append(",") }
        memberCount += 1
        JSONWriter.append(string: name, to: &out)
        out.append(":")
        out.append(set.bytes.span.extracting(set.rawRange(of: member.value)))
      }
      out.append("}")
    }
    out.append("]}\n")
    return keyCount == 0 ? nil : out.span.copied()
  }
}
