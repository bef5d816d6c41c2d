// Writes public keys as a key set: for the demo's issuer, the `token` command and tests.

import Bytes
package import Cryptography
import JSON

package enum KeySetWriter {
  /// A key set in JSON (RFC 7517 §5) of the public halves. A secret is written out whole: never serve one.
  package static func encode(_ keys: [(id: String?, key: PublicKey, algorithm: SignatureAlgorithm?)]) -> [UInt8] {
    var queue = ByteQueue()
    queue.append("{\"keys\":[")
    for (position, entry) in keys.enumerated() {
      if position > 0 { queue.append(UInt8(ascii: ",")) }
      queue.append("{")
      if let id = entry.id {
        queue.append("\"kid\":")
        JSONWriter.append(string: id, to: &queue)
        queue.append(",")
      }
      if let algorithm = entry.algorithm { queue.append(text: "\"alg\":\"\(algorithm.rawValue)\",") }
      queue.append("\"use\":\"sig\",")
      queue.append(text: String(Thumbprint.canonicalJSON(entry.key.components).dropFirst()))
    }
    queue.append("]}")
    return queue.span.copied()
  }
}
