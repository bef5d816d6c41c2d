// What a request waits for outside of the bytes of its client and its server. It waits for one thing at a time, and
// each wait has an end.

import Tokens

enum Wait {
  /// An answer. The request is at this position among those that asked the same, see ``Questions``.
  case question(Question, position: Int, until: Int64)
  /// A service's answer. The request is at this position among those that wait for it.
  case authorization(AuthorizationCall, position: Int)
  /// A permit of its upstream. The request is at this position in the pool's queue, see ``WaitingQueue``.
  case permit(position: Int, until: Int64)
  /// The store has to do something, see ``SessionChanges``.
  case sessionChange(UInt64, PendingSession, until: Int64)
  /// A login goes on when the provider, or what is known of it, says how, see ``SessionChanges``.
  case login(UInt64, until: Int64)
  /// The rest of the body, which the gateway itself reads.
  case body(until: Int64)
  /// A store's answer, at a rate limit that a fleet shares.
  case store(StoreWait)
  /// A store's answer, about a proof that a fleet remembers.
  case proof(ProofWait)
  /// The pause before it is sent again, to this server.
  case retry(UpstreamServer, at: Int64)

  /// In steady nanoseconds.
  var end: Int64 {
    switch self {
    case .question(_, _, let end), .permit(_, let end), .sessionChange(_, _, let end), .login(_, let end),
      .body(let end), .retry(_, let end):
      end
    case .store(let wait): wait.end
    case .proof(let wait): wait.end
    case .authorization(let call, _): call.end
    }
  }
}
