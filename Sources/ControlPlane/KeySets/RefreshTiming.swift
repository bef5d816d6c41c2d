// When to load again: refresh, back-off and the bounds on what an issuer may ask for. Pure arithmetic on time.

internal import Proxy

/// The times of the key sets' life, each with its reason.
enum RefreshTiming {
  /// How often a key file is looked at.
  static let filePollInterval = Duration.seconds(1)
  // LIMIT: `max-age` counts only between these, so that an issuer can neither make us hammer it nor pin a key for
  // months.
  static let lifetimeBounds = (least: Duration.seconds(60), most: Duration.seconds(24 * 3600))
  static let backOffFirst = Duration.seconds(1)
  static let withoutKeysMost = Duration.seconds(LookBudget.secondsWithoutKeys)

  /// How long a document stays fresh: its `max-age` less its `Age`, within bounds. `refresh` when it gives none or
  /// forbids reuse (T73).
  static func lifetime(_ cacheControl: CacheControl, refresh: Duration) -> Duration {
    guard !cacheControl.isReuseForbidden, let seconds = cacheControl.freshSeconds else { return refresh }
    let most = lifetimeBounds.most.components.seconds
    return max(lifetimeBounds.least, .seconds(min(seconds, most)))
  }

  /// The time moved by up to a tenth either way, so that a fleet does not ask in step.
  /// - Parameter random: 0..<1.
  static func jittered(_ time: Duration, random: Double) -> Duration { time * (0.9 + 0.2 * random) }

  /// The wait after the given number of failures in a row: doubling from 1 s up to `refresh`, spread by a quarter
  /// (T64). As long as there are no keys, everyone is shut out, and the spread wait ends at ``withoutKeysMost`` (T100).
  static func backOff(failureCount: Int, refresh: Duration, hasKeys: Bool, random: Double) -> Duration {
    // 2^20 s is more than the longest `refresh`. A larger exponent would only overflow.
    let exponent = max(0, min(failureCount - 1, 20))
    let most = hasKeys ? refresh : min(refresh, withoutKeysMost * 0.8)
    return min(backOffFirst * (1 << exponent), max(most, backOffFirst)) * (0.75 + 0.5 * random)
  }
}
