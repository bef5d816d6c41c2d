// What the check of a credential says.

package enum Verdict {
  case caller(Caller)
  /// `issuer` is its index, once that is known. `subject` is whom the issuer named, where the issuer's word was proved
  /// before something else was wrong. It says nothing of who sent the request, as an expired token may be anybody's.
  case refused(TokenRefusal, issuer: Int?, subject: [UInt8]? = nil)
  /// All is well with it, and the issuer must say that it still counts.
  case confirm(Caller)
  /// Only the source can tell.
  case ask(Question.Source)
}
