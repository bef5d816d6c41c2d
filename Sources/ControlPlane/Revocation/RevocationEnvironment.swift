// Everything outside that lists of revoked tokens depend on, as values. Tests bring their own.

internal import Configuration
internal import Glibc
internal import Proxy
internal import TLS
internal import Tokens

struct RevocationEnvironment: Sendable {
  /// Time that never jumps, since an origin of its own.
  var now: @Sendable () -> Duration
  /// Seconds since 1970.
  var wallTime: @Sendable () -> Int64
  var sleep: @Sendable (Duration) async -> Void
  var fetch: @Sendable (_ url: String, Trust, FetchTerms, _ byteCountMax: Int) async -> Result<Document, FetchError>
  /// Asks a store. Nil where it does not answer. `changed` is called once, when the key has changed since, or may have.
  typealias Ask =
    @Sendable (
      _ store: String, _ parts: [[UInt8]], _ key: [UInt8], _ changed: @escaping @Sendable () -> Void
    ) async -> StoreReply?
  var ask: Ask
  /// The keys of the issuer of that name.
  var keySet: @Sendable (String) async -> KeySet?
  /// Asks the issuer of that name for newer keys.
  var renewKeys: @Sendable (String) async -> Void
  var files: SystemFiles

  /// The real world.
  static func live(
    _ fetcher: DocumentFetcher, _ registry: KeySetRegistry, ask: @escaping Ask
  ) -> RevocationEnvironment {
    var result = live(fetcher, keys: [:])
    result.ask = ask
    result.keySet = { await registry.keySet(ofIssuer: $0) }
    result.renewKeys = { await registry.requestRefresh(issuer: $0) }
    return result
  }

  /// The same without a gateway, and so without stores.
  /// - Parameter keys: by the issuers' names.
  static func live(_ fetcher: DocumentFetcher, keys: [String: KeySet?]) -> RevocationEnvironment {
    let clock = ContinuousClock()
    let origin = clock.now
    return RevocationEnvironment(
      now: { origin.duration(to: clock.now) }, wallTime: { Int64(time(nil)) },
      sleep: { try? await clock.sleep(for: $0) },
      fetch: { url, trust, terms, byteCountMax in
        do throws(FetchError) {
          return .success(try await fetcher.get(url: url, trust: trust, terms, byteCountMax: byteCountMax))
        } catch {
          return .failure(error)
        }
      }, ask: { _, _, _, _ in nil }, keySet: { keys[$0] ?? nil }, renewKeys: { _ in }, files: SystemFiles())
  }
}
