// What the control plane asks of a list of sessions, wherever the list is.

package import Tokens

/// The list cannot be asked now, or has no room. That says nothing about any session.
package struct SessionListUnavailable: Error, Equatable {}

package protocol SessionList: Sendable {
  /// - Parameter replaced: the digest of the cookie that the browser sent before. That session ends.
  func begin(_ record: SessionRecord, digest: [UInt8], replaced: [UInt8]?) async throws(SessionListUnavailable)

  /// Ends one. All workers have forgotten it, or soon will.
  func end(digest: [UInt8]) async throws(SessionListUnavailable)

  /// - Returns: how many have ended.
  func end(_ selection: SessionSelection) async throws(SessionListUnavailable) -> Int

  /// Those that are not over, at most a thousand.
  func list(_ selection: SessionSelection) async throws(SessionListUnavailable) -> [SessionSummary]

  /// What it says of a session of these rules, without the provider's tokens. That is no use of it. Nil when there is
  /// no such session.
  func statement(of digest: [UInt8], session: String) async throws(SessionListUnavailable) -> SessionStatement?

  /// Everybody's that are not over, at most a thousand.
  func list() async throws(SessionListUnavailable) -> [SessionSummary]

  /// The provider's tokens of a session. Nil when there is no such session.
  func tokens(of digest: [UInt8]) async throws(SessionListUnavailable) -> KeptTokens?

  /// Puts others in their place.
  /// - Parameter fence: of the tokens that were read before.
  /// - Returns: false when the session is over, or others have come meanwhile. Then nothing changes.
  func replaceTokens(
    of digest: [UInt8], with tokens: [UInt8], fence: UInt64
  ) async throws(SessionListUnavailable) -> Bool

  /// Only one holder at a time may refresh the tokens of a session. Takes the lock, or holds it for longer.
  /// - Returns: false when somebody else has it.
  func lock(_ digest: [UInt8], holder: [UInt8], seconds: Int64) async throws(SessionListUnavailable) -> Bool

  /// Gives the lock back, if this holder still has it.
  func unlock(_ digest: [UInt8], holder: [UInt8]) async
}

/// The tokens that the provider has issued for a session, as the control plane encodes them.
package struct KeptTokens: Sendable, Equatable {
  package var bytes: [UInt8]
  /// Another after each replacement.
  package var fence: UInt64

  package init(bytes: [UInt8], fence: UInt64) {
    self.bytes = bytes
    self.fence = fence
  }
}

/// Which sessions. Issuers are named as in the file.
package enum SessionSelection: Sendable, Hashable {
  /// Of whichever issuer.
  case subject([UInt8])
  case owner(issuer: String, subject: [UInt8])
  /// Of the `sid` by which the issuer knows it.
  case providerSession(issuer: String, [UInt8])
}

/// What an operator may know of a session: nothing by which anybody could take it over.
package struct SessionSummary: Sendable, Equatable {
  package var session: String
  package var issuer: String
  package var subject: String
  /// All in seconds since 1970.
  package var beganAt: Int64
  package var usedAt: Int64
  package var endsAt: Int64
}
