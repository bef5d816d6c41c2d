// What has come of the answer to a request, and what the gateway adds to it.

import Bytes
import Tokens

/// The answer of one exchange, whether it comes from a server or is the gateway's own.
struct ClientAnswer: ~Copyable {
  /// Its final head is on its way to the client: nothing else can be answered.
  var hasBegun = false
  /// An interim head went to the client.
  var isInterimSent = false
  /// Its head came, and does not say how long its body is.
  var isOpenEnded = false
  /// The server's head ended its stream.
  var isHeadOnly = false
  var isComplete = false
  /// What the client gets. 0 before that is known.
  var status = 0
  /// What the server said. 0 where the answer is the gateway's own.
  var upstreamStatus = 0
  /// Bytes of the body that went to the client, framing left out.
  var byteCount: UInt64 = 0
  /// Why the gateway answers in the server's place, or cuts its answer short.
  var refusal: Refusal?
  /// `sub` of a token that an issuer has signed and that was refused all the same. For the log only: nobody has proved
  /// to be this caller.
  var refusedSubject: [UInt8]?
  /// Which check of the request's proof has failed. For the gateway's log.
  var proofFault: ProofStep?
  /// Why it would have been refused if a rule in shadow counted. For the log.
  var shadowRefusal: Refusal?
  /// How a gRPC call ended, by the server's trailers or by ours.
  var grpcStatus: Int?
  var compression = AnswerCompression()
  /// Field lines of the gateway's own for the final head, with their CRLFs. Written behind those of the upstream or of
  /// the gateway's answer, by either protocol.
  var addedLines = ByteQueue()

  init() {}

  private init(keeping addedLines: consuming ByteQueue) { self.addedLines = addedLines }

  /// Forgets one answer and keeps the memory for the next.
  mutating func reset() {
    addedLines.removeAll()
    self = ClientAnswer(keeping: addedLines)
  }
}
