// What a worker asks when it cannot tell by itself who a caller is, and what it may be answered. Who answers, and how,
// is known outside of the data plane.

import Bytes
import Cryptography

/// Requests that ask the same share one question.
package struct Question: Sendable, Hashable {
  /// Who knows the answer. Indices are those of the configuration of the question's generation.
  package enum Source: Sendable, Hashable {
    /// Whether the issuer has published other keys: a token names one that is not in its set.
    case keySet(issuer: Int)
    /// Whose the credential is: the issuer knows it, and nobody else can read it (RFC 7662).
    case introspection(issuer: Int)
    /// What the status list says whose URI the question is about: a token of the issuer names it.
    case statusList(issuer: Int)
    /// Whose session has the cookie with the question's digest: the store of the session with this index knows it.
    case session(Int)
    /// Whose the API key with the question's digest is: the store of the set with this index knows it.
    case apiKey(set: Int)

    /// Nil where only the answer names one.
    package var issuer: Int? {
      switch self {
      case .keySet(let issuer), .introspection(let issuer), .statusList(let issuer): issuer
      case .session, .apiKey: nil
      }
    }

    /// What a request is refused with when no answer comes in time. Silence says nothing about a credential that only
    /// the source can judge, so that is no 401.
    package var refusalOfSilence: TokenRefusal {
      switch self {
      case .keySet: .keyUnknown
      case .introspection: .introspectionUnavailable
      case .statusList: .revocationUnavailable
      case .session: .sessionStoreUnavailable
      case .apiKey: .apiKeyStoreUnavailable
      }
    }

    /// What a request is refused with that cannot even wait.
    package var refusalOfCrowd: TokenRefusal {
      switch self {
      case .keySet: .keysUnavailable
      case .introspection: .introspectionUnavailable
      case .statusList: .revocationUnavailable
      case .session: .sessionStoreUnavailable
      case .apiKey: .apiKeyStoreUnavailable
      }
    }
  }

  package let source: Source
  /// Of the configuration that it was asked under.
  package let generation: UInt64
  /// SHA-256 of the credential, which is in no table itself. Empty where the question is not about one.
  package let digest: [UInt8]

  /// - Parameter credential: empty where the question is not about one.
  package init(_ source: Source, generation: UInt64, credential: Span<UInt8> = Span()) {
    self.source = source
    self.generation = generation
    digest = credential.isEmpty ? [] : SHA256.digest(credential)
  }

  /// - Parameter digest: of what it is about.
  package init(_ source: Source, generation: UInt64, digest: [UInt8]) {
    self.source = source
    self.generation = generation
    self.digest = digest
  }

  /// - Parameter session: its key.
  package init(_ source: Source, generation: UInt64, session: SessionKey) {
    self.source = source
    self.generation = generation
    digest = session.digest
  }
}

extension Question {
  package func hash(into hasher: inout Hasher) {
    // A digest tells questions apart by itself.
    if !digest.isEmpty { return hasher.combine(digest: digest) }
    hasher.combine(source)
    hasher.combine(generation)
  }
}

package enum Answer: Sendable {
  /// The issuer was asked for its keys. If they have changed, tokens are checked once more.
  case keys(haveChanged: Bool)
  /// The status list was asked for. Tokens that name it are checked once more.
  case statusList
  case statement(Statement)
  case session(SessionStatement)
  case apiKey(APIKeyRecord)
  /// The provider's tokens of the session are others by now: its list is asked once more.
  case renewed
  case refused(TokenRefusal)
}
