// What a client keeps of a session so that its next one with the same server is cheaper. Owns one SSL_SESSION.
// Invariant: it is only ever used with the context and the host name that the first session was verified for.

internal import COpenSSL

/// A session resumes under these alone: its peer's certificate is not looked at again.
struct ResumptionScope: Equatable {
  let context: ClientContext
  let host: String

  static func == (a: ResumptionScope, b: ResumptionScope) -> Bool { a.context === b.context && a.host == b.host }
}

/// Good for one new session. Not for two threads at once.
@safe
package final class TLSResumption {
  private let session: OpaquePointer
  let scope: ResumptionScope

  init(takingOwnershipOf session: OpaquePointer, scope: ResumptionScope) {
    unsafe self.session = session
    self.scope = scope
  }

  deinit {
    // SAFETY: the one reference that this object was given.
    unsafe SSL_SESSION_free(session)
  }

  /// Offers the session to the server. One that has expired leads to a full handshake.
  func install(in ssl: OpaquePointer) {
    // SAFETY: SSL_set_session takes a reference of its own.
    _ = unsafe SSL_set_session(ssl, session)
    ERR_clear_error()
  }
}
