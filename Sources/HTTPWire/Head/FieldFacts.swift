// What a head's fields say about the message as a whole: its length, the fate of the connection, what is expected.
// Filled line by line, so that a wrong line is refused as soon as it is there.

import Bytes

struct ConnectionOptions: OptionSet, Sendable {
  let rawValue: UInt8
  static let close = ConnectionOptions(rawValue: 1)
  static let keepAlive = ConnectionOptions(rawValue: 2)
  static let upgrade = ConnectionOptions(rawValue: 4)
  /// Names fields that are not hop-by-hop anyway.
  static let nominations = ConnectionOptions(rawValue: 8)
}

struct FieldFacts {
  /// A bit for each known field that was seen.
  var seen: UInt64 = 0
  var contentLength: UInt64 = 0
  var options: ConnectionOptions = []
  private var connectionNameCount: UInt8 = 0

  // LIMIT: names in all Connection fields of a head (T74): beyond them 400, from an upstream 502. Each is compared with
  // each field.
  static let connectionNameCountMax = 32

  private static let special =
    KnownField.contentLength.bit | KnownField.transferEncoding.bit | KnownField.connection.bit | KnownField.host.bit
    | KnownField.expect.bit

  @inline(__always)
  func has(_ known: KnownField) -> Bool { seen & known.bit != 0 }

  /// Takes note of a field line. Returns what is wrong with it.
  @inline(__always)
  mutating func note(_ line: FieldLine, in input: Span<UInt8>, ofRequest isRequest: Bool) -> HeadError? {
    let bit = line.known.bit
    if bit & Self.special != 0, let error = noteSpecial(line, in: input, ofRequest: isRequest) { return error }
    seen |= bit
    return nil
  }

  private mutating func noteSpecial(
    _ line: FieldLine, in input: Span<UInt8>, ofRequest isRequest: Bool
  ) -> HeadError? {
    switch line.known {
    case .contentLength:
      // Also twice the same value: a list of lengths has been read in more than one way (T50, T62).
      if has(.contentLength) { return .contentLengthInvalid }
      guard let length = Self.decimal(input, line.value) else { return .contentLengthInvalid }
      contentLength = length
    case .transferEncoding:
      if has(.transferEncoding) { return .framingAmbiguous }
      return Self.codingError(input, line.value)
    case .connection:
      return noteConnection(line.value, in: input)
    case .host:
      if !isRequest { return nil }
      if has(.host) { return .hostAmbiguous }
      if !isAuthority(input.extracting(line.value)) { return .hostInvalid }
    case .expect:
      if !isRequest { return nil }
      let value = FieldName(input, from: line.value.lowerBound, to: line.value.upperBound)
      let isContinue =
        line.value.count == 12 && value.end == line.value.upperBound && !value.isAlias
        && value.firstWord == FieldName.continueFirst && value.secondWord == FieldName.continueSecond
      if !isContinue { return .expectationFailed }
    default: break
    }
    return nil
  }

  /// 1*DIGIT (RFC 9110 §8.6) up to 2^63 - 1, which also fits the signed arithmetic of callers.
  private static func decimal(_ input: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
    if range.isEmpty { return nil }
    var value: UInt64 = 0
    for index in range {
      let byte = input[index]
      guard isDigit(byte) else { return nil }
      let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, carries) = tens.addingReportingOverflow(UInt64(byte & 15))
      if isTooLarge || carries || sum > UInt64(Int64.max) { return nil }
      value = sum
    }
    return value
  }

  /// Only `chunked`, once, is understood. A well-formed list that ends in it is "not implemented". Where anything else
  /// would leave the length open, the message is wrong (RFC 9112 §6.1, §6.3, T48).
  private static func codingError(_ input: Span<UInt8>, _ range: Range<Int>) -> HeadError? {
    var tokens = TokenList(range)
    var count = 0
    var chunkedCount = 0
    var endsInChunked = false
    while let token = tokens.next(input) {
      endsInChunked = token.count == 7 && token.name.firstWord == FieldName.chunked
      count += 1
      if endsInChunked { chunkedCount += 1 }
    }
    if tokens.isMalformed || chunkedCount != 1 || !endsInChunked { return .transferEncodingInvalid }
    // An empty list element beside the one coding is legal, and is not what other parsers expect.
    if count == 1 { return range.count == 7 ? nil : .transferEncodingInvalid }
    return .transferEncodingUnsupported
  }

  private mutating func noteConnection(_ range: Range<Int>, in input: Span<UInt8>) -> HeadError? {
    var tokens = TokenList(range)
    while let token = tokens.next(input) {
      connectionNameCount += 1
      if connectionNameCount > Self.connectionNameCountMax { return .connectionInvalid }
      if token.name.folded.isFramingOrRouting { return .connectionInvalid }
      let known = token.name.known
      if token.count == 5, token.name.firstWord == FieldName.close {
        options.insert(.close)
      } else if known == .keepAlive {
        options.insert(.keepAlive)
      } else if known == .upgrade {
        options.insert(.upgrade)
      } else if !known.isHopByHop {
        options.insert(.nominations)
      }
    }
    return tokens.isMalformed ? .connectionInvalid : nil
  }

  /// Whether the connection may serve another message (RFC 9112 §9.3).
  func isPersistent(_ version: Version) -> Bool {
    if options.contains(.close) { return false }
    return version != .http10 || options.contains(.keepAlive)
  }

  /// Marks the fields that Connection names in any spelling (RFC 9110 §7.6.1). Each name is read once, and there are
  /// few.
  func markNominated(_ fields: inout [FieldLine], of bytes: Span<UInt8>) {
    for line in fields where line.known == .connection {
      var tokens = TokenList(line.value)
      while let token = tokens.next(bytes) {
        for index in fields.indices
        where fields[index].foldedHash == token.name.foldedHash && fields[index].folded != .connection {
          if foldedEquals(bytes.extracting(token.range), bytes.extracting(fields[index].name)) {
            fields[index].folded = .connection
          }
        }
      }
    }
  }
}
