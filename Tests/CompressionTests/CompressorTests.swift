// What a compressor writes is read back by the libraries' own decoders, whole and as far as a flush says.

import Bytes
import TestSupport
import Testing

@testable import Compression

@Suite("Compressors")
struct CompressorTests {
  /// Text with repetitions, and bytes without any.
  static let samples: [[UInt8]] = [
    [], [0x61], Array(String(repeating: "The quick brown fox. ", count: 20_000).utf8),
    (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) },
  ]

  private func compressor(_ coding: ContentCoding, level: Int = 4) throws -> Compressor {
    let compressor = try #require(Compressor.make(coding, level: level))
    #expect(compressor.begin(level: level))
    return compressor
  }

  /// A level of each library. Those of gzip are igzip's up to 3, and zlib's above.
  static let choices: [(coding: ContentCoding, level: Int)] = [
    (.gzip, 1), (.gzip, 2), (.gzip, 3), (.gzip, 4), (.brotli, 4),
  ]

  @Test("What was compressed in pieces of any size decodes to what went in", arguments: Self.choices)
  func pieces(_ coding: ContentCoding, _ level: Int) throws {
    let compressor = try compressor(coding, level: level)
    for sample in Self.samples {
      for size in [97, 1000, 65_536, 1_000_000] {
        #expect(compressor.begin(level: level))
        var output = ByteQueue()
        var start = 0
        while start < sample.count {
          let end = min(start + size, sample.count)
          #expect(compressor.compress(Array(sample[start..<end]), .more, to: &output))
          start = end
        }
        #expect(compressor.compress([], .end, to: &output))
        #expect(decoded(output.copied(), "\(coding.name)") == Decoded(bytes: sample, isComplete: true))
      }
    }
  }

  @Test("After each flush everything so far can be decoded", arguments: Self.choices)
  func flushes(_ coding: ContentCoding, _ level: Int) throws {
    let compressor = try compressor(coding, level: level)
    var output = ByteQueue()
    var sent: [UInt8] = []
    for number in 0..<200 {
      let piece = Array("data: event \(number)\n\n".utf8) + Self.samples[3][0..<(number * 37)]
      sent += piece
      #expect(compressor.compress(piece, number % 3 == 0 ? .flush : .more, to: &output))
      if number % 3 != 0 { #expect(compressor.compress([], .flush, to: &output)) }
      #expect(decoded(output.copied(), "\(coding.name)") == Decoded(bytes: sent, isComplete: false))
    }
    #expect(compressor.compress([], .end, to: &output))
    #expect(decoded(output.copied(), "\(coding.name)") == Decoded(bytes: sent, isComplete: true))
  }

  @Test("Text gets smaller at each level, and what does not gain hardly grows", arguments: ContentCoding.allCases)
  func levels(_ coding: ContentCoding) throws {
    for level in -1...12 {
      let compressor = try compressor(coding, level: level)
      var output = ByteQueue()
      #expect(compressor.compress(Self.samples[2], .end, to: &output))
      #expect(output.count < Self.samples[2].count / 50, "level \(level)")
    }
    let compressor = try compressor(coding)
    var random = SystemRandomNumberGenerator()
    let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    var output = ByteQueue()
    #expect(compressor.compress(noise, .end, to: &output))
    #expect(output.count < noise.count + 1000)
  }

  @Test("A compressor is used for one message after the other, also for one that was left in the middle")
  func reuse() throws {
    for (coding, level) in Self.choices {
      let compressor = try compressor(coding, level: level)
      for number in 0..<50 {
        #expect(compressor.begin(level: level))
        var output = ByteQueue()
        let text = Array(String(repeating: "message \(number) ", count: 100).utf8)
        #expect(compressor.compress(text, .more, to: &output))
        if number % 2 == 0 {
          #expect(compressor.compress([], .end, to: &output))
          #expect(decoded(output.copied(), "\(coding.name)").bytes == text)
        }
        compressor.rest()
      }
    }
  }

  @Test("A Brotli compressor that has not begun says so")
  func idle() throws {
    let compressor = try #require(Compressor.make(.brotli, level: 4))
    var output = ByteQueue()
    #expect(!compressor.compress(Self.samples[1], .end, to: &output))
    #expect(output.copied() == [])
  }
}

extension Compressor {
  func compress(_ bytes: [UInt8], _ step: CompressionStep, to output: inout ByteQueue) -> Bool {
    let isGood = compress(bytes.span, step, to: &output)
    return isGood
  }
}
