// A compact JWS taken apart (RFC 7515 §7.1). Nothing in it is to be believed: only the verifier makes a Caller of it.
//
// Invariant: both JSON texts are objects. `header`, `payload` and `signature` are strict base64url runs that follow
// each other with one dot between.

import Bytes
import JSON

struct UnverifiedToken {
  /// Offsets into the token's bytes.
  let headerPart: Range<Int>
  let payloadPart: Range<Int>
  let signaturePart: Range<Int>
  let header: JSONDocument
  let payload: JSONDocument
  let signature: [UInt8]

  /// What the signature is over: header and payload with the dot between (RFC 7515 §5.2).
  var signedPart: Range<Int> { headerPart.lowerBound..<payloadPart.upperBound }
}
