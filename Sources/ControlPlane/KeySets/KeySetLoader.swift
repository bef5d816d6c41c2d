// One load of one issuer's keys, from wherever the configuration says. Knows no state: the answer is a value.
// Invariant: a set comes out only after it was parsed whole and holds at least one usable key (T23).

internal import Bytes
internal import Configuration
internal import TLS
internal import Tokens

struct KeySetLoader: Sendable {
  // LIMIT: 1 MiB for a key set or a discovery document: `too_large` (T10).
  static let byteCountMax = 1 << 20

  let environment: KeySetEnvironment

  /// - Parameters:
  ///   - knownURL: where discovery led before, to be asked at once.
  ///   - signature: of the file at the load before.
  func load(_ issuer: Issuer, knownURL: String?, signature: FileSignature?) async -> LoadResult {
    if case .file(let path) = issuer.keys { return loadFile(path, issuer, signature) }
    var asked: String?
    do throws(RefreshFailure) {
      switch issuer.keys {
      case .inline(let bytes):
        return .loaded(try Self.parse(bytes, issuer, origin: "inline"))
      case .url(let text):
        asked = text
        guard let url = FetchURL(text) else { throw .fetch(.urlInvalid(text)) }
        try url.checkConfigured(isInsecureAllowed: issuer.isInsecureAllowed)
        return .loaded(try await fetchKeys(text, issuer))
      case .discovery(let text):
        let url: String
        if let knownURL {
          url = knownURL
        } else {
          url = try await Discovery.find(text, issuer, asked: &asked) { url throws(RefreshFailure) in
            try await fetch(url, issuer)
          } read: { discovery, body throws(RefreshFailure) in
            try discovery.keysURL(in: body, issuer: issuer.policy.issuer)
          }
        }
        asked = url
        var loaded = try await fetchKeys(url, issuer)
        loaded.discoveredURL = url
        return .loaded(loaded)
      case .absent: return .loaded(LoadedKeySet(keySet: .empty, body: [], origin: "none"))
      case .file: return .unchanged
      }
    } catch {
      return .failed(error, url: asked)
    }
  }

  /// Inline and file sources, which need no waiting: for the first moment of a configuration.
  func loadNow(_ issuer: Issuer) -> LoadResult? {
    switch issuer.keys {
    case .file(let path):
      return loadFile(path, issuer, nil)
    case .inline(let bytes):
      do throws(RefreshFailure) {
        return .loaded(try Self.parse(bytes, issuer, origin: "inline"))
      } catch {
        return .failed(error)
      }
    case .absent: return .loaded(LoadedKeySet(keySet: .empty, body: [], origin: "none"))
    case .url, .discovery: return nil
    }
  }

  private func loadFile(_ path: String, _ issuer: Issuer, _ before: FileSignature?) -> LoadResult {
    // Taken before the content: what changes in between is seen next time.
    let signature = environment.files.signature(of: path)
    if signature == before { return .unchanged }
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try environment.files.read(path, byteCountMax: Self.byteCountMax)
    } catch {
      return .failed(.fileUnreadable("\(path): \(error.reason)"), fileSignature: signature)
    }
    do throws(RefreshFailure) {
      var loaded = try Self.parse(bytes, issuer, origin: path)
      loaded.fileSignature = signature
      return .loaded(loaded)
    } catch {
      return .failed(error, fileSignature: signature)
    }
  }

  private func fetch(_ url: String, _ issuer: Issuer) async throws(RefreshFailure) -> Document {
    let trust = Trust(file: issuer.certificateAuthority)
    switch await environment.fetch(url, trust, try bearer(for: url, issuer)) {
    case .success(let document):
      return document
    case .failure(let error):
      throw .fetch(error)
    }
  }

  /// What the issuer's own host gets, and no host that a document names. Read each time, because such tokens live for
  /// an hour.
  private func bearer(for url: String, _ issuer: Issuer) throws(RefreshFailure) -> BearerToken? {
    guard let path = issuer.tokenFile, let asked = FetchURL(url), let own = Self.configuredURL(issuer),
      asked.isSecure == own.isSecure, asked.host == own.host, asked.port == own.port
    else { return nil }
    let bytes: [UInt8]
    do throws(FileError) {
      // LIMIT: longer tokens are not sent by anybody.
      bytes = try environment.files.read(path, byteCountMax: 64 * 1024)
    } catch {
      throw .fileUnreadable("\(path): \(error.reason)")
    }
    guard let token = BearerToken(bytes) else { throw .fileUnreadable("\(path): not one token of visible ASCII") }
    return token
  }

  private static func configuredURL(_ issuer: Issuer) -> FetchURL? {
    switch issuer.keys {
    case .url(let text), .discovery(issuer: let text): FetchURL(text)
    case .inline, .file, .absent: nil
    }
  }

  private func fetchKeys(_ url: String, _ issuer: Issuer) async throws(RefreshFailure) -> LoadedKeySet {
    let document = try await fetch(url, issuer)
    var loaded = try Self.parse(document.body, issuer, origin: url)
    loaded.cacheControl = document.cacheControl
    return loaded
  }

  /// The keys that the issuer's algorithms may use.
  static func parse(_ bytes: [UInt8], _ issuer: Issuer, origin: String) throws(RefreshFailure) -> LoadedKeySet {
    do throws(KeySetError) {
      let keySet = try KeySet.parse(bytes.span, algorithms: issuer.policy.algorithms)
      return LoadedKeySet(keySet: keySet, body: bytes, origin: origin)
    } catch {
      switch error {
      // Distinguishes an error page from a key set with faults: two different things to look for.
      case .notJSON: throw .notJSON
      case .tooLarge: throw .fetch(.tooLarge)
      case .tooManyKeys: throw .keySetInvalid("over \(KeySet.keyCountMax) keys")
      case .notKeySet: throw .keySetInvalid("no `keys`")
      case .noUsableKey(let dropped): throw .noUsableKey(words(dropped))
      }
    }
  }

  /// The reasons, each once: `key_too_weak, wrong_use`.
  private static func words(_ dropped: [DroppedKey]) -> String {
    dropped.isEmpty ? "the set is empty" : Set(dropped.map(\.reason.rawValue)).sorted().joined(separator: ", ")
  }
}
