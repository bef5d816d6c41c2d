// The name of a document that is kept elsewhere: its SHA-256, in hexadecimal.

import Bytes
import Cryptography

extension PersistedDocument {
  static func hash(of text: Span<UInt8>) -> [UInt8] {
    var result = ByteQueue()
    for byte in SHA256.digest(text) { result.append(hexadecimal: UInt64(byte), width: 2) }
    return result.copied()
  }
}
