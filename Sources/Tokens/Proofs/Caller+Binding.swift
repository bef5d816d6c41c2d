// What the check of a sender asks of a caller.

extension Caller {
  /// `sub`, for the log of a refusal.
  package var subjectBytes: [UInt8]? { ClaimsCheck.subjectText(claims) }

  /// Whether both have the same token.
  package func isSameCredential(as other: Caller) -> Bool {
    let bytes = other.credential
    return isOf(bytes.span)
  }
}
