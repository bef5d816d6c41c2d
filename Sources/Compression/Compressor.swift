// One compressor: bytes in, coded bytes out, piece by piece. What is common to gzip and Brotli. Nothing here
// decompresses.

package import Bytes

/// How far the coded bytes must reach when a piece is handed in.
package enum CompressionStep: Sendable {
  /// The compressor may keep what it has.
  case more
  /// Everything so far can be decoded by the reader.
  case flush
  /// The stream ends.
  case end
}

/// A content coding (RFC 9110 §8.4.1).
package enum ContentCoding: Sendable, CaseIterable {
  case gzip, brotli

  /// The coding's name in Content-Encoding and Accept-Encoding.
  package var name: StaticString {
    switch self {
    case .gzip: "gzip"
    case .brotli: "br"
    }
  }
}

/// The base of both. Not Sendable: each belongs to one event loop. Used for one message after the other: `begin`, any
/// number of `compress`, of which the last says `end`. After a false only `begin` helps.
package class Compressor {
  package let coding: ContentCoding

  init(_ coding: ContentCoding) { self.coding = coding }

  /// One that has not begun. Nil when there is no memory.
  /// - Parameter level: the coding's own scale, 1…9 for gzip and 0…11 for Brotli.
  package static func make(_ coding: ContentCoding, level: Int) -> Compressor? {
    switch coding {
    case .gzip: level <= FastGzipCompressor.levelMax ? FastGzipCompressor() : GzipCompressor.make()
    case .brotli: BrotliCompressor()
    }
  }

  /// Whether ``begin(level:)`` may be called for the coding at that level.
  package func serves(_ coding: ContentCoding, level: Int) -> Bool { self.coding == coding }

  /// Forgets what was, and begins a message. False when there is no memory.
  /// - Parameter level: one that it ``serves(_:level:)``.
  package func begin(level: Int) -> Bool { false }

  /// Appends what is coded to `output`. False when the library reports an error: the message cannot be completed.
  package func compress(_ bytes: Span<UInt8>, _ step: CompressionStep, to output: inout ByteQueue) -> Bool { false }

  /// Gives back memory that only a message under way needs.
  package func rest() {}
}
