// What /status and the metrics say of an issuer's keys: a copy, never the keys themselves.

/// One issuer's keys at one moment.
package struct KeySetStatus: Sendable, Equatable {
  package var name: String
  /// `inline`, a path, a URL, or `discovery:` and the issuer's URL.
  package var source: String
  /// Keys are there: tokens can be checked.
  package var isReady: Bool
  package var keyCount: Int
  /// Keys of the set that were left out, being weak or malformed.
  package var droppedKeyCount: Int
  /// Since the last load that went well, or since the stored set was fetched. Nil before the first.
  package var ageSeconds: Int64?
  /// Seconds since 1970.
  package var lastSuccessAt: Int64?
  package var lastFailureAt: Int64?
  /// Of the latest failure, nil once a load went well: `timeout`, `status(500)`, `tls_failed(…)`.
  package var lastError: String?
  /// In a row.
  package var failureCount: Int
  /// Nil when there is none to come, or one is under way.
  package var nextRefreshInSeconds: Int64?
  /// Loads by result: `success`, or a failure's code.
  package var results: [String: UInt64]
}
