// The part of the page about lists of revoked tokens. Tokens that were refused are in `catraca_auth_total`.

extension MetricsPage {
  func writeRevocations(to writer: inout some MetricsWriter & ~Copyable) {
    let all = revocations.flatMap { status in
      status.lists.map { (labels: [("issuer", status.issuer), ("list", $0.kind)], lists: $0) }
    }
    writer.family(.revocationEntries)
    for (labels, lists) in all { writer.sample(labels, gauge: lists.entryCount) }
    writer.family(.revocationBytes)
    for (labels, lists) in all { writer.sample(labels, gauge: lists.byteCount) }
    writer.family(.revocationAge)
    for (labels, lists) in all {
      if let age = lists.ageSeconds { writer.sample(labels, seconds: Double(age)) }
    }
    writer.family(.revocationGood)
    for (labels, lists) in all { writer.sample(labels, gauge: lists.isGood ? 1 : 0) }
    writer.family(.revocationRefreshes)
    for (labels, lists) in all {
      for (result, count) in lists.results.sorted(by: { $0.key < $1.key }) {
        writer.sample(labels + [("result", result)], count)
      }
    }
  }
}
