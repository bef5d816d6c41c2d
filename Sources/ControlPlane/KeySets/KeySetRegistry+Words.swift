// What the log says of key sets: that they came, which keys came and went, why they are missing. Each once, when
// it changes. Nothing in it is longer than a line, whatever an issuer calls its keys.

internal import Configuration
internal import Logging
internal import Tokens

extension KeySetRegistry {
  func report(_ result: LoadResult, before: IssuerKeys, after: IssuerKeys) {
    var metadata: Logger.Metadata = ["issuer": "\(after.issuer.name)"]
    switch result {
    case .unchanged: break
    case .loaded(let loaded):
      let isNew = before.keySet !== after.keySet
      guard isNew || before.lastFailure != nil else { return }
      metadata["from"] = "\(after.issuer.keys.isRemote ? loaded.origin.withoutURLSecrets : loaded.origin)"
      metadata["keys"] = "\(loaded.keySet.keys.count)"
      if isNew, let old = before.keySet {
        metadata["came"] = Self.words(loaded.keySet.keys, without: old).map { "\($0)" }
        metadata["went"] = Self.words(old.keys, without: loaded.keySet).map { "\($0)" }
      }
      log.notice("keys loaded", metadata: metadata)
      if isNew { reportDropped(before: before, after: after) }
    case .failed(let failure, _, let url):
      guard before.lastFailure != failure else { return }
      metadata["reason"] = "\(failure)"
      if let url { metadata["url"] = "\(url.withoutURLSecrets)" }
      notices?.postKeys(issuer: after.issuer.name, url: url?.withoutURLSecrets, reason: failure.description)
      metadata["serving"] = after.keySet == nil ? "no keys" : "the last good keys"
      log.warning("keys cannot be loaded", metadata: metadata)
    }
  }

  /// Why keys are left out, once. What is wrong in a configuration's own keys was said when it was read.
  private func reportDropped(before: IssuerKeys, after: IssuerKeys) {
    if before.keySet == nil, !after.issuer.keys.isRemote { return }
    let known = before.keySet?.dropped ?? []
    let dropped = (after.keySet?.dropped ?? []).filter { !known.contains($0) }
    if dropped.isEmpty { return }
    let reasons = dropped.map { Self.shown($0.keyID.map { Array($0.utf8) }) + " " + $0.reason.rawValue }
    log.warning(
      "keys are left out", metadata: ["issuer": "\(after.issuer.name)", "reason": "\(Self.some(of: reasons))"])
  }

  /// The ids of keys that the other set does not have. Nil when there are none.
  private static func words(_ keys: [VerificationKey], without other: KeySet) -> String? {
    let known = Set(other.keys.map { [$0.keyID ?? [], $0.thumbprint] })
    let fresh = keys.filter { !known.contains([$0.keyID ?? [], $0.thumbprint]) }
    return fresh.isEmpty ? nil : some(of: fresh.map { shown($0.keyID) })
  }

  // LIMIT: of hundreds of keys the log names the first.
  private static func some(of words: [String]) -> String {
    words.prefix(8).joined(separator: ", ") + (words.count > 8 ? " and \(words.count - 8) more" : "")
  }

  /// A `kid` is the issuer's text: what is not visible ASCII is written as `%XX`, and the end of a long one is cut off.
  private static func shown(_ keyID: [UInt8]?) -> String {
    guard let keyID else { return "(no kid)" }
    var text = ""
    for byte in keyID.prefix(64) {
      if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "%") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return keyID.count > 64 ? text + "…" : text
  }
}

extension KeySource {
  var isRemote: Bool {
    switch self {
    case .inline, .file, .absent: false
    case .url, .discovery: true
    }
  }

  /// For `/status`: without the query of a URL, which may hold a secret (T89).
  var shown: String {
    switch self {
    case .inline: "inline"
    case .absent: "none"
    case .file(let path): path
    case .url(let url): url.withoutURLSecrets
    case .discovery(let url): "discovery:" + url.withoutURLSecrets
    }
  }
}
