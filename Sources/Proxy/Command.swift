// What the data plane asks of the transport. The transport takes the commands after every event and carries them out in
// order. Carrying one out never calls back into the data plane before the queue is empty. The one that every request
// gives, ``Connection/flush()``, is not among them: it is the connection's index in ``Worker/flushes``, which costs no
// reference.

package import Tokens

/// An order to the transport.
package enum Command {
  /// Close once `output` is written.
  case close(Connection)
  /// Close the writing side once `output` is written, and go on reading.
  case closeOutput(Connection)
  /// Close now. What was not written is lost.
  case abort(Connection)
  case pauseReading(Connection)
  case resumeReading(Connection)
  /// Open a connection to a server and report `connected` or `connectFailed`.
  case connect(ServerConnection)
  /// Requests wait for an answer, which is reported by ``Worker/answered(_:_:at:)``.
  /// - Parameter credential: empty where the question is not about one.
  case ask(Question, credential: [UInt8])
  /// A session begins or ends, which is reported by ``Worker/sessionChanged(_:isDone:at:)``.
  case changeSession(SessionChange, id: UInt64)
  /// A browser is at a path of a login. The answer is reported by ``Worker/loginReplied(_:_:at:)``.
  case login(LoginRequest, id: UInt64)
  /// The provider's tokens of a session are due. What has come of it is reported by ``Worker/answered(_:_:at:)``.
  /// - Parameter session: the name of its rules.
  case refreshSession(Question, session: String)
  /// Permits of an upstream are free, and requests on other workers wait for them.
  case wakeWaiters(upstream: String)
  /// A server's state has changed: a word for the log.
  case reportUpstream(String, UpstreamChange)
  /// A token was refused: both values for the log.
  case reportRefusal(RefusalNotice)
  /// A store's server went down, came back, or refuses commands: a word for the log.
  case reportStore(StoreReport)
  /// There are many spans or log records: they are to be handed over now.
  case exportRecords
  /// No connection is left that has work: the drain is over.
  case drained
}
