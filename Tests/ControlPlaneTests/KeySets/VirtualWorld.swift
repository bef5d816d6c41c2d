// The world around a registry, made of values: time moves when a test says so, documents and files are what it laid
// down.

import Logging
import Synchronization
import TLS
import TestSupport
import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

/// Gives the registry its environment and remembers what was asked of it.
final class VirtualWorld: Sendable {
  struct State {
    var now = Duration.zero
    var documents: [String: Result<Document, FetchError>] = [:]
    var fetched: [String] = []
    var files: [String: (bytes: [UInt8], version: Int64)] = [:]
    var published: [Publication] = []
    var sleepers: [(id: Int, until: Duration, wake: CheckedContinuation<Void, Never>)] = []
    var sleeperCount = 0
    /// What is wrong with the folder of stored keys.
    var folderProblem: String?
    /// Fetches wait here while the gate is closed.
    var isGateClosed = false
    var waiting: [CheckedContinuation<Void, Never>] = []
    var random = 0.5
  }

  /// One call of `publish`: key ids, or nil for a withdrawal.
  struct Publication: Equatable {
    var issuer: Int
    var keyIDs: [String]?
  }

  static let epoch: Int64 = 1_700_000_000
  let state = Mutex(State())

  var environment: KeySetEnvironment {
    KeySetEnvironment(
      now: { self.state.withLock { $0.now } },
      wallTime: { Self.epoch + self.state.withLock { $0.now.components.seconds } },
      sleep: { until in await self.sleep(until) },
      random: { self.state.withLock { $0.random } },
      fetch: { url, _, _ in await self.fetch(url) },
      files: VirtualFiles(world: self))
  }

  func registry(stateDirectory: String? = nil) -> KeySetRegistry {
    KeySetRegistry(environment: environment, stateDirectory: stateDirectory, log: Logger(label: "test")) {
      issuer, keySet in
      self.state.withLock {
        $0.published.append(Publication(issuer: issuer, keyIDs: keySet.map(keyIDs)))
      }
    }
  }

  func advance(to time: Duration) {
    let woken = state.withLock { state in
      state.now = time
      let due = state.sleepers.filter { $0.until <= time }
      state.sleepers.removeAll { $0.until <= time }
      return due
    }
    for sleeper in woken { sleeper.wake.resume() }
  }

  func put(_ url: String, _ body: [UInt8], cacheControl: String? = nil) {
    let document = Document(
      status: 200, body: body, cacheControl: CacheControl(fields: cacheControl.map { [$0] } ?? []))
    state.withLock { $0.documents[url] = .success(document) }
  }

  func put(_ url: String, _ failure: FetchError) { state.withLock { $0.documents[url] = .failure(failure) } }

  func putFile(_ path: String, _ bytes: [UInt8]?) {
    state.withLock { state in
      let version = (state.files[path]?.version ?? 0) + 1
      state.files[path] = bytes.map { ($0, version) }
    }
  }

  func file(_ path: String) -> [UInt8]? { state.withLock { $0.files[path]?.bytes } }

  var published: [Publication] { state.withLock { $0.published } }
  var fetched: [String] { state.withLock { $0.fetched } }

  func closeGate() { state.withLock { $0.isGateClosed = true } }

  func openGate() {
    let waiting = state.withLock { state in
      state.isGateClosed = false
      defer { state.waiting = [] }
      return state.waiting
    }
    for fetch in waiting { fetch.resume() }
  }

  private func fetch(_ url: String) async -> Result<Document, FetchError> {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        state.fetched.append(url)
        if state.isGateClosed { state.waiting.append(continuation) }
        return !state.isGateClosed
      }
      if isOpen { continuation.resume() }
    }
    return state.withLock { $0.documents[url] ?? .failure(.status(404)) }
  }

  private func sleep(_ until: Duration) async {
    let id = state.withLock { state in
      state.sleeperCount += 1
      return state.sleeperCount
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if until <= state.now || Task.isCancelled { return true }
          state.sleepers.append((id, until, continuation))
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let woken = state.withLock { state in
        state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
      }
      woken?.wake.resume()
    }
  }

  /// Lets a registry's loop end: its timers fire.
  func end() { advance(to: .seconds(1 << 40)) }
}

private struct VirtualFiles: KeySetFiles {
  let world: VirtualWorld

  func signature(of path: String) -> FileSignature {
    world.state.withLock { state in
      guard let file = state.files[path] else { return .missing }
      return .present(
        inode: 1, byteCount: Int64(file.bytes.count), modifiedSeconds: file.version, modifiedNanoseconds: 0)
    }
  }

  func read(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8] {
    guard let bytes = world.file(path) else { throw FileError("No such file or directory") }
    guard bytes.count <= byteCountMax else { throw FileError("larger than \(byteCountMax) bytes") }
    return bytes
  }

  func readOwn(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8] {
    try read(path, byteCountMax: byteCountMax)
  }

  func folderProblem(_ path: String) -> String? { world.state.withLock { $0.folderProblem } }

  func replace(_ path: String, with bytes: [UInt8]) throws(FileError) { world.putFile(path, bytes) }
}

/// The key ids of a set as text.
func keyIDs(_ set: KeySet) -> [String] { set.keys.map { String(decoding: $0.keyID ?? [], as: UTF8.self) } }

/// A key set of Ed25519 keys with these ids. The bytes of a key come from its id.
func keySet(_ ids: String...) -> [UInt8] {
  let keys = ids.map { id in
    let x = String(repeating: id.first.map(String.init) ?? "A", count: 42) + "A"
    return "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"\(id)\",\"x\":\"\(x)\"}"
  }
  return Array("{\"keys\":[\(keys.joined(separator: ","))]}".utf8)
}

func issuer(_ keys: KeySource, name: String = "login", refresh: Duration = .seconds(600)) -> Issuer {
  let text = if case .discovery(let url) = keys { url } else { "https://idp.test/" }
  var issuer = Issuer(name: name, policy: IssuerPolicy(issuer: text, audiences: ["api"]), keys: keys)
  issuer.refresh = refresh
  return issuer
}

extension KeySetRegistry {
  /// One turn of the loop, waited for: what is due is loaded before this returns.
  func turn() async {
    for id in takeDue() { await load(id) }
  }
}

/// Waits for something that other tasks bring about.
func eventually(
  _ sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async -> Bool
) async {
  do {
    try await poll("what other tasks bring about", pauseMilliseconds: 1, condition)
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}
