// `compress:` of a route, prepared, and the compressors of one worker, which are kept and used again.

import Bytes
import Compression
import Configuration

struct CompressionPlan: Sendable {
  struct Choice: Sendable {
    let coding: ContentCoding
    let level: Int
  }

  /// In the operator's order.
  let choices: [Choice]
  let minimumSize: UInt64
  /// In lower case. Families up to their slash.
  private let types: [[UInt8]]
  private let families: [[UInt8]]

  init(_ rules: CompressionRules) {
    choices = rules.algorithms.map { algorithm in
      switch algorithm {
      case .gzip: Choice(coding: .gzip, level: rules.gzipLevel)
      case .brotli: Choice(coding: .brotli, level: rules.brotliLevel)
      }
    }
    minimumSize = rules.minimumSize
    types = rules.types.filter { !$0.hasSuffix("/*") }.map { Array($0.utf8) }
    families = rules.types.filter { $0.hasSuffix("/*") }.map { Array($0.utf8.dropLast()) }
  }

  /// Whether content of a media type gains.
  func takes(_ type: Span<UInt8>) -> Bool {
    for index in types.indices where isEqual(type, types[index]) { return true }
    for index in families.indices where type.count > families[index].count {
      if isEqual(type.extracting(0..<families[index].count), families[index]) { return true }
    }
    return false
  }

  private func isEqual(_ type: Span<UInt8>, _ lowered: [UInt8]) -> Bool {
    guard type.count == lowered.count else { return false }
    for index in type.indices {
      let byte = type[index]
      if (byte &- 0x41 < 26 ? byte | 0x20 : byte) != lowered[index] { return false }
    }
    return true
  }

  /// The coding that the client takes most gladly, the operator's order between equals. Nil for none.
  func choice(_ accepted: AcceptedCodings) -> Choice? {
    var best: Choice?
    for choice in choices {
      let weight = accepted.weight(of: choice.coding)
      if weight > (best.map { accepted.weight(of: $0.coding) } ?? 0), !accepted.prefersIdentity(to: choice.coding) {
        best = choice
      }
    }
    return best
  }
}

/// A worker's compressors.
struct CompressorPool: ~Copyable {
  private var spare: [Compressor] = []
  private var activeCount = 0
  /// For coded bytes on their way from a compressor to a stream.
  var coded = ByteQueue()

  /// LIMIT: answers that one worker compresses at one time. Further ones go as they are. Each holds 0.3 to 0.4 MB
  /// (gzip) or 1.7 MB (Brotli, 6 MB at its highest level).
  private static let activeCountMax = 128
  private static let spareCountMax = 16

  mutating func take(_ choice: CompressionPlan.Choice) -> Compressor? {
    if activeCount >= Self.activeCountMax { return nil }
    let index = spare.lastIndex { $0.serves(choice.coding, level: choice.level) }
    guard let compressor = index.map({ spare.remove(at: $0) }) ?? Compressor.make(choice.coding, level: choice.level),
      compressor.begin(level: choice.level)
    else { return nil }
    activeCount += 1
    return compressor
  }

  mutating func giveBack(_ compressor: Compressor) {
    activeCount -= 1
    compressor.rest()
    if spare.count < Self.spareCountMax { spare.append(compressor) }
  }
}
