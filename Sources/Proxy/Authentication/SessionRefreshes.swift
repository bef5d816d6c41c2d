// When the provider's tokens of a session are due, the control plane renews them. Requests go on meanwhile while the
// access token lives, and wait when it is over.

import Tokens

extension Worker {
  /// LIMIT: a request waits no longer for the provider.
  static let refreshNanoseconds: Int64 = 5_000_000_000

  /// What a list says of a session is looked at before any request goes on with it.
  /// - Returns: whether they wait on.
  func awaitsRefresh(_ statement: SessionStatement, _ question: Question) -> Bool {
    guard case .session(let index) = question.source, let asker = questions.asker(of: question),
      asker.snapshot.sessions.indices.contains(index)
    else { return false }
    let session = asker.snapshot.sessions[index]
    let now = self.time.unixSeconds
    guard session.isRefreshed, let tokens = session.provided(statement.tokens), now >= tokens.refreshAt else {
      return false
    }
    let isOver = now >= tokens.endsAt
    if isOver, questions.isRenewed(question) {
      conclude(question, .refused(.sessionStoreUnavailable))
      return true
    }
    commands.append(.refreshSession(question, session: session.name))
    if isOver { questions.prolong(question, until: time.nanoseconds &+ Self.refreshNanoseconds) }
    return isOver
  }

  /// Asks a session's list once more, where requests still wait for it.
  func askAgain(_ question: Question) {
    guard case .session(let index) = question.source, let asker = questions.asker(of: question),
      asker.snapshot.sessions.indices.contains(index)
    else { return }
    questions.noteRenewal(question)
    let snapshot = asker.snapshot
    let session = snapshot.sessions[index]
    guard let place = session.store else {
      return commands.append(.ask(question, credential: Array(session.name.utf8)))
    }
    guard let store = store(at: place, of: snapshot),
      sessions.looks.begin(SessionLook(question, of: session, snapshot.sessionKeys, in: store))
    else { return conclude(question, .refused(.sessionStoreUnavailable)) }
  }
}
