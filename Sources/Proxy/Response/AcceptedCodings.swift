// Accept-Encoding (RFC 9110 §12.5.3): what a client takes, and how gladly.

import Bytes
import Compression
import HTTPWire

/// Weights in thousandths. Nil for what the client does not name.
struct AcceptedCodings {
  private var gzip: Int?
  private var brotli: Int?
  private var identity: Int?
  private var any: Int?

  /// Reads one field value. Several lines are one list. An element that is malformed says nothing.
  mutating func read(_ bytes: Span<UInt8>, _ value: Range<Int>) {
    var elements = ListElements(value)
    while let element = elements.next(in: bytes) {
      let coding = bytes.extracting(mediaType(in: bytes, element))
      guard let weight = Self.weight(bytes, element.lowerBound + coding.count..<element.upperBound) else { continue }
      if coding.equalsIgnoringCase("gzip") || coding.equalsIgnoringCase("x-gzip") {
        gzip = weight
      } else if coding.equalsIgnoringCase("br") {
        brotli = weight
      } else if coding.equalsIgnoringCase("identity") {
        identity = weight
      } else if coding.count == 1, coding[0] == UInt8(ascii: "*") {
        any = weight
      }
    }
  }

  /// 0 for what must not be sent.
  func weight(of coding: ContentCoding) -> Int {
    switch coding {
    case .gzip: gzip ?? any ?? 0
    case .brotli: brotli ?? any ?? 0
    }
  }

  /// Whether the client would rather have the answer as it is. Where it does not name `identity`, it is only the last
  /// resort.
  func prefersIdentity(to coding: ContentCoding) -> Bool { (identity ?? 0) > weight(of: coding) }

  /// `;q=0.5`, with white space around the semicolon. 1000 without one, nil for anything else (RFC 9110 §12.4.2).
  private static func weight(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    var index = behindSpace(bytes, range)
    if index == range.upperBound { return 1000 }
    guard bytes[index] == UInt8(ascii: ";") else { return nil }
    index = behindSpace(bytes, index + 1..<range.upperBound)
    guard index + 2 < range.upperBound, bytes[index] | 0x20 == UInt8(ascii: "q"), bytes[index + 1] == UInt8(ascii: "=")
    else { return nil }
    let digits = index + 2..<range.upperBound
    guard digits.count <= 5, digits.count != 2 || bytes[digits.lowerBound + 1] == UInt8(ascii: ".") else { return nil }
    var weight = 0
    var scale = 1000
    for index in digits {
      if index == digits.lowerBound + 1 {
        guard bytes[index] == UInt8(ascii: ".") else { return nil }
        continue
      }
      let digit = Int(bytes[index]) - 0x30
      guard (0...9).contains(digit) else { return nil }
      weight += digit * scale
      scale /= 10
    }
    return weight <= 1000 ? weight : nil
  }

  private static func behindSpace(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var index = range.lowerBound
    while index < range.upperBound, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
    return index
  }
}
