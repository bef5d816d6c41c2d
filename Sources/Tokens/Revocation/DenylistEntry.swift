// One entry of a denylist: a line with a JSON object, or an entry of a stream with the same members. Strict, because a
// member that is misspelled may be the one that was meant.

import Bytes
import JSON

/// Why an entry is none.
package enum DenylistFault: String, Error, Sendable {
  case notJSON = "not a JSON object"
  case memberUnknown = "a member other than jti, sub, sid, kid, issued_before, until, note and lines"
  case valueInvalid = "a value of the wrong type"
  case selectorsMany = "more than one of jti, sub, sid and kid"
  case selectorMissing = "none of jti, sub, sid, kid, issued_before and note"
  case timeMisplaced = "issued_before beside jti, sid or kid"
  case linesMisplaced = "lines beside other members, or not in the last line"
}

/// The members of an entry, before it is known whether they make one.
struct DenylistMembers {
  var selector: DenylistSelector?
  var issuedBefore: Int64?
  var until: Int64?
  var hasNote = false
  /// How many lines the list has before this one, which is its last.
  var lineCount: Int64?

  /// Nil where nothing is revoked: a note alone, or the number of lines.
  func checked() throws(DenylistFault) -> (selector: DenylistSelector, times: DenylistTimes)? {
    if lineCount != nil {
      if selector != nil || issuedBefore != nil || until != nil || hasNote { throw .linesMisplaced }
      return nil
    }
    let times = DenylistTimes(issuedBefore: issuedBefore ?? .max, until: until ?? .max)
    switch (selector, issuedBefore) {
    case (nil, nil):
      if !hasNote || until != nil { throw .selectorMissing }
      return nil
    case (nil, _): return (.issuer, times)
    case (.subject?, _), (.some, nil): return (selector ?? .subject, times)
    case (.some, .some): throw .timeMisplaced
    }
  }

  enum Name {
    case selector(DenylistSelector)
    case issuedBefore, until, note, lines

    init?(_ name: Span<UInt8>) {
      for selector in DenylistSelector.allCases where selector != .issuer && name.equals(selector.name) {
        self = .selector(selector)
        return
      }
      if name.equals("issued_before") {
        self = .issuedBefore
      } else if name.equals("until") {
        self = .until
      } else if name.equals("note") {
        self = .note
      } else if name.equals("lines") {
        self = .lines
      } else {
        return nil
      }
    }
  }

  mutating func take(_ selector: DenylistSelector) throws(DenylistFault) {
    if self.selector != nil { throw .selectorsMany }
    self.selector = selector
  }

  mutating func take(_ number: Int64?, as name: Name) throws(DenylistFault) {
    guard let number, number >= 0 else { throw .valueInvalid }
    switch name {
    case .issuedBefore: issuedBefore = number
    case .until: until = number
    case .lines: lineCount = number
    case .selector, .note: throw .valueInvalid
    }
  }
}

/// An entry on its own.
package struct DenylistEntry: Sendable, Equatable {
  package let selector: DenylistSelector
  /// Empty for ``DenylistSelector/issuer``.
  package let name: [UInt8]
  package let times: DenylistTimes

  package func insert(into table: inout DenylistTable) { table.insert(selector, name.span, times) }

  /// - Returns: nil for one that revokes nothing.
  package static func read(_ line: Span<UInt8>) throws(DenylistFault) -> DenylistEntry? {
    var value: [UInt8] = []
    let members = try members(of: line, &value)
    return try members.checked().map { DenylistEntry(selector: $0.selector, name: value, times: $0.times) }
  }

  /// - Parameters:
  ///   - fields: names and values in turn, as an entry of a stream has them.
  /// - Returns: nil for one that revokes nothing.
  package static func read(fields: [[UInt8]]) throws(DenylistFault) -> DenylistEntry? {
    var members = DenylistMembers()
    var value: [UInt8] = []
    guard fields.count.isMultiple(of: 2) else { throw .valueInvalid }
    for index in stride(from: 0, to: fields.count, by: 2) {
      let (field, text) = (fields[index], fields[index + 1])
      guard let name = DenylistMembers.Name(field.span) else { throw .memberUnknown }
      switch name {
      case .selector(let selector):
        if text.isEmpty { throw .valueInvalid }
        try members.take(selector)
        value = text
      case .note: members.hasNote = true
      case .lines: throw .linesMisplaced
      case .issuedBefore, .until:
        try members.take(Int64(String(decoding: text.prefix(20), as: UTF8.self)), as: name)
      }
    }
    return try members.checked().map { DenylistEntry(selector: $0.selector, name: value, times: $0.times) }
  }

  /// Names and values in turn of a line, as a stream has them.
  package static func fields(of line: Span<UInt8>) throws(DenylistFault) -> [[UInt8]] {
    guard try read(line) != nil, let document = try? JSONDocument(line.copied()) else { throw .selectorMissing }
    return document.members(of: document.root).flatMap { member in
      let number = document.integer(at: member.value).map { Array("\($0)".utf8) }
      let text = document.stringBytes(at: member.value) ?? number
      return [document.stringBytes(at: member.name) ?? [], text ?? []]
    }
  }

  /// Any JSON that means an entry. ``DenylistReader`` reads the usual lines by itself, which is much faster.
  /// - Parameter value: becomes that of the selector.
  static func members(of line: Span<UInt8>, _ value: inout [UInt8]) throws(DenylistFault) -> DenylistMembers {
    guard let document = try? JSONDocument(line.copied(), limits: JSONLimits(depthMax: 2, nodeCountMax: 32)),
      document.kind(document.root) == .object
    else { throw .notJSON }
    var members = DenylistMembers()
    for member in document.members(of: document.root) {
      let text = document.stringBytes(at: member.name) ?? []
      guard let name = DenylistMembers.Name(text.span) else { throw .memberUnknown }
      switch name {
      case .selector(let selector):
        guard let text = document.stringBytes(at: member.value), !text.isEmpty else { throw .valueInvalid }
        try members.take(selector)
        value = text
      case .note:
        if document.kind(member.value) != .string { throw .valueInvalid }
        members.hasNote = true
      case .issuedBefore, .until, .lines: try members.take(document.integer(at: member.value), as: name)
      }
    }
    return members
  }
}
