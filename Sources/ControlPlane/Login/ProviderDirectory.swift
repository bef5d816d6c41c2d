// The provider's discovery document, fetched when it is needed and kept for a while. The last good one serves when the
// provider does not answer, so that a login needs no more of the provider than its own end points.

internal import Configuration
internal import TLS
internal import Tokens

actor ProviderDirectory {
  let issuer: Issuer
  private let fetcher: DocumentFetcher
  private let now: @Sendable () -> Int64
  private var known: ProviderMetadata?
  private var fetchedAt: Int64 = 0
  private var failedAt: Int64?
  private var flight: Task<Result<ProviderMetadata, RefreshFailure>, Never>?

  /// A document is looked at again after so many seconds.
  private static let refreshSeconds: Int64 = 600
  /// LIMIT: after a failure nobody waits for the next attempt, for so many seconds.
  private static let pauseSeconds: Int64 = 1
  private static let deadline = Duration.seconds(5)

  init(_ issuer: Issuer, fetcher: DocumentFetcher, now: @escaping @Sendable () -> Int64) {
    self.issuer = issuer
    self.fetcher = fetcher
    self.now = now
  }

  nonisolated var trust: Trust { Trust(file: issuer.certificateAuthority) }

  /// What the provider says of itself. All who ask at the same time share one fetch.
  func metadata() async throws(LoginFault) -> ProviderMetadata {
    let now = now()
    if let known, now - fetchedAt < Self.refreshSeconds { return known }
    if let failedAt, now - failedAt < Self.pauseSeconds {
      guard let known else { throw .providerUnavailable("discovery") }
      return known
    }
    switch await fetch() {
    case .success(let metadata): return metadata
    case .failure(let failure):
      guard let known else { throw .providerUnavailable(failure.code) }
      return known
    }
  }

  private func fetch() async -> Result<ProviderMetadata, RefreshFailure> {
    if let flight { return await flight.value }
    let issuer = issuer
    let fetcher = fetcher
    let trust = trust
    let task = Task { await Self.load(issuer, fetcher, trust) }
    flight = task
    let result = await task.value
    flight = nil
    switch result {
    case .success(let metadata):
      known = metadata
      fetchedAt = now()
      failedAt = nil
    case .failure: failedAt = now()
    }
    return result
  }

  private static func load(
    _ issuer: Issuer, _ fetcher: DocumentFetcher, _ trust: Trust
  ) async -> Result<ProviderMetadata, RefreshFailure> {
    let name = issuer.policy.issuer
    var asked: String?
    do throws(RefreshFailure) {
      return .success(
        try await Discovery.find(name, issuer, asked: &asked) { url throws(RefreshFailure) in
          do throws(FetchError) {
            return try await fetcher.get(url: url, trust: trust, deadline: deadline)
          } catch {
            throw .fetch(error)
          }
        } read: { rules, body throws(RefreshFailure) in
          try ProviderMetadata(body, issuer: name, rules: rules)
        })
    } catch {
      return .failure(error)
    }
  }
}
