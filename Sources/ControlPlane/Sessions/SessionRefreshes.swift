// The provider's tokens of sessions, renewed while the sessions are used. One refresh of a session at a time, over all
// gateways that share its list: a refresh token that is used twice costs the person the session (T105).

internal import Cryptography
package import Tokens

package actor SessionRefreshes {
  package struct Environment: Sendable {
    /// Asks the provider for others.
    package var ask: @Sendable (_ tokens: ProviderTokens, _ session: String) async throws(LoginFault) -> ProviderTokens
    /// Seconds since 1970.
    package var now: @Sendable () -> Int64
    /// Comes back after that time, or when the task is cancelled.
    package var sleep: @Sendable (Duration) async -> Void

    package init(
      ask: @escaping @Sendable (ProviderTokens, String) async throws(LoginFault) -> ProviderTokens,
      now: @escaping @Sendable () -> Int64,
      sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
    ) {
      self.ask = ask
      self.now = now
      self.sleep = sleep
    }
  }

  private let sessions: SessionLists
  private let environment: Environment
  private var flights: [[UInt8]: Task<Answer, Never>] = [:]
  /// By the names of rules whose provider did not answer.
  private var pausedUntil: [String: Int64] = [:]

  /// LIMIT: refreshes under way.
  static let countMax = 1024
  /// After a failure nobody waits for the next attempt, for so many seconds.
  private static let pauseSeconds: Int64 = 1
  /// A gateway that dies in the middle holds the others up for so long.
  private static let lockSeconds: Int64 = 4
  /// The lock is held for longer while the provider is asked.
  private static let renewalPause = Duration.seconds(1)
  /// How often it is looked whether another gateway is done.
  private static let lookPause = Duration.milliseconds(100)
  /// LIMIT: looks until others are believed to be stuck.
  private static let lookCountMax = 60
  /// What the provider has issued may not be lost because of a moment's silence of the list.
  private static let writeCountMax = 5

  package init(_ sessions: SessionLists, environment: Environment) {
    self.sessions = sessions
    self.environment = environment
  }

  /// Renews the tokens of a session, unless that was done meanwhile.
  /// - Parameter session: the name of its rules.
  package func refresh(_ digest: [UInt8], of session: String) async -> Answer {
    if let flight = flights[digest] { return await flight.value }
    if flights.count >= Self.countMax { return .refused(.sessionStoreUnavailable) }
    let flight = Task { await refreshNow(digest, of: session) }
    flights[digest] = flight
    let answer = await flight.value
    flights[digest] = nil
    return answer
  }

  private func refreshNow(_ digest: [UInt8], of session: String) async -> Answer {
    if let end = pausedUntil[session], environment.now() < end { return .refused(.sessionStoreUnavailable) }
    let list = sessions.list(of: session)
    guard let holder = RandomBytes.make(16) else { return .refused(.sessionStoreUnavailable) }
    do throws(SessionListUnavailable) {
      for _ in 0..<Self.lookCountMax {
        let isOurs = try await list.lock(digest, holder: holder, seconds: Self.lockSeconds)
        guard let kept = try await list.tokens(of: digest) else {
          if isOurs { await list.unlock(digest, holder: holder) }
          return .refused(.sessionExpired)
        }
        let due = dueTokens(kept)
        if let due, isOurs { return try await exchange(due, kept.fence, of: digest, session, list, holder) }
        if isOurs { await list.unlock(digest, holder: holder) }
        if due == nil { return .renewed }
        await environment.sleep(Self.lookPause)
      }
    } catch {}
    return .refused(.sessionStoreUnavailable)
  }

  /// Nil where there is nothing to refresh.
  private func dueTokens(_ kept: KeptTokens) -> ProviderTokens? {
    ProviderTokens(encoded: kept.bytes).flatMap { environment.now() >= $0.refreshAt ? $0 : nil }
  }

  /// This gateway has the lock.
  private func exchange(
    _ tokens: ProviderTokens, _ fence: UInt64, of digest: [UInt8], _ session: String, _ list: any SessionList,
    _ holder: [UInt8]
  ) async throws(SessionListUnavailable) -> Answer {
    let environment = environment
    let keeper = Task {
      while true {
        await environment.sleep(Self.renewalPause)
        if Task.isCancelled { return }
        _ = try? await list.lock(digest, holder: holder, seconds: Self.lockSeconds)
      }
    }
    let outcome: Result<ProviderTokens, LoginFault>
    do throws(LoginFault) {
      outcome = .success(try await environment.ask(tokens, session))
    } catch {
      outcome = .failure(error)
    }
    let answer: Result<Answer, SessionListUnavailable>
    do throws(SessionListUnavailable) {
      answer = .success(try await settle(outcome, fence, of: digest, session, list))
    } catch {
      answer = .failure(error)
    }
    keeper.cancel()
    await keeper.value
    await list.unlock(digest, holder: holder)
    return try answer.get()
  }

  private func settle(
    _ outcome: Result<ProviderTokens, LoginFault>, _ fence: UInt64, of digest: [UInt8], _ session: String,
    _ list: any SessionList
  ) async throws(SessionListUnavailable) -> Answer {
    switch outcome {
    case .success(let fresh):
      try await store(fresh, fence, of: digest, in: list)
      return .renewed
    case .failure(.refused("invalid_grant")):
      // The lock may have been lost on the way. Then another gateway has used the token, and stored what came of it.
      guard let kept = try await list.tokens(of: digest), kept.fence == fence else { return .renewed }
      try await list.end(digest: digest)
      return .refused(.sessionExpired)
    case .failure:
      // That says nothing about the session.
      pausedUntil[session] = environment.now() + Self.pauseSeconds
      return .refused(.sessionStoreUnavailable)
    }
  }

  private func store(
    _ tokens: ProviderTokens, _ fence: UInt64, of digest: [UInt8], in list: any SessionList
  ) async throws(SessionListUnavailable) {
    for count in 1...Self.writeCountMax {
      do throws(SessionListUnavailable) {
        _ = try await list.replaceTokens(of: digest, with: tokens.encoded, fence: fence)
        return
      } catch {
        if count == Self.writeCountMax { throw error }
        await environment.sleep(Self.lookPause)
      }
    }
  }
}
