// What the check of a credential says.

package enum Verdict {
  case caller(Caller)
  /// `issuer` is its index, once that is known.
  case refused(TokenRefusal, issuer: Int?)
  /// Only the source can tell.
  case ask(Question.Source)
}
