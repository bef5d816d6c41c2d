// What the route table asks of a request's header fields. A protocol instead of a closure: it is resolved at compile
// time and allocates nothing. And the table is tested without a parsed head.

/// The header fields of a request, as far as conditions of routes (`headers:`) need them.
package protocol RequestFields: ~Copyable {
  /// Whether the request has exactly one field line of this name (lower case, compared without case) and its value is
  /// `value`, byte by byte. A field that is there twice fulfils no condition: which of the two an upstream would take
  /// is not known here.
  borrowing func hasOnlyField(name: Span<UInt8>, value: Span<UInt8>) -> Bool
}

/// A request without fields.
package struct NoFields: RequestFields {
  package init() {}

  package func hasOnlyField(name: Span<UInt8>, value: Span<UInt8>) -> Bool { false }
}
