// What a person reads when the `token` command cannot do what was asked.

/// One sentence that says what is wrong and, where it can, what to write instead.
struct TokenError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
