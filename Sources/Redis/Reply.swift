// One reply of Redis that has been read whole, as its bytes and a flat list of values in the order of the text. Nothing
// is copied until someone asks for it. RESP2 and RESP3 are read the same way: what each writes in its own form, such as
// null, is one kind here.
//
// Invariant: every value's range lies in `bytes`. Only the reader makes values.

import Bytes

/// One value: where its content is, and where the value behind it and all that it holds is.
struct ReplyValue: Sendable {
  /// Offset of the content's first byte. Of lists and maps, of their first byte.
  var start: UInt32
  /// Offset behind the content's last byte.
  var end: UInt32
  /// Index of the value behind this one and all that it holds.
  var next: UInt32
  var kind: Reply.Kind
}

/// A reply, for as long as its bytes are where they were received.
package struct Reply: ~Escapable {
  /// A value's place in the reply.
  package typealias Index = Int

  package enum Kind: UInt8, Sendable {
    /// A simple string, a bulk string, or a verbatim one without its three letters.
    case text
    /// Begins with its code, as in `NOSCRIPT No matching script`.
    case error
    /// Fits Int64.
    case integer
    /// A double or a big number, kept as text.
    case number
    case `true`, `false`, null
    /// An array or a set.
    case list
    /// Names and values by turns.
    case map
    /// Sent by the server on its own account: it answers no command.
    case push
    /// Facts about the value behind them. The reader leaves them out.
    case attribute
  }

  private let bytes: Span<UInt8>
  private let values: Span<ReplyValue>

  @_lifetime(copy bytes, copy values)
  init(bytes: Span<UInt8>, values: Span<ReplyValue>) {
    self.bytes = bytes
    self.values = values
  }

  package var root: Index { 0 }

  package func kind(_ index: Index) -> Kind { values[index].kind }

  /// The bytes of a text, an error or a number.
  @_lifetime(copy self)
  package func text(_ index: Index) -> Span<UInt8> {
    let value = values[index]
    return bytes.extracting(Int(value.start)..<Int(value.end))
  }

  /// Nil where the value is no integer.
  package func integer(_ index: Index) -> Int64? {
    kind(index) == .integer ? text(index).decimalInteger : nil
  }

  /// The first element of a list or a push, or the first name of a map. Nil where there is none.
  package func first(in list: Index) -> Index? {
    let value = values[list]
    switch value.kind {
    case .list, .map, .push: return Int(value.next) > list + 1 ? list + 1 : nil
    default: return nil
    }
  }

  /// The element behind this one, or the value behind its name. Nil behind the last.
  package func next(after element: Index, in list: Index) -> Index? {
    let following = Int(values[element].next)
    return following < Int(values[list].next) ? following : nil
  }

  /// The value of a name, in a map or in the list of names and values that RESP2 has for one.
  package func value(of name: [UInt8], in map: Index) -> Index? {
    var at = first(in: map)
    while let place = at, let value = next(after: place, in: map) {
      if kind(place) == .text, text(place).equals(name) { return value }
      at = next(after: value, in: map)
    }
    return nil
  }

  /// What kind of error the reply is. Nil where it is none.
  package var error: ReplyError? { kind(root) == .error ? ReplyError(text(root)) : nil }
}
