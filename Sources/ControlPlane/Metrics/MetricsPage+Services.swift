// The part of the page about those who are asked: services, and issuers about opaque tokens.

import Proxy

extension MetricsPage {
  func writeQuestions(to writer: inout some MetricsWriter & ~Copyable) {
    for (family, counts) in [
      (MetricFamily.authorizations, counters.authorizationCounts),
      (.shadowAuthorizations, counters.shadowAuthorizationCounts),
    ] {
      writer.family(family)
      for (id, result, count) in counts where names.services.indices.contains(id) {
        writer.sample([("service", names.services[id]), ("result", result.label)], count)
      }
    }
    writeHistograms(
      .authorizationDuration, counters.authorizationDurations, label: "service", names: names.services, to: &writer)
    writer.family(.introspections)
    for (id, result, count) in counters.introspectionCounts where names.issuers.indices.contains(id) {
      writer.sample([("issuer", names.issuers[id]), ("result", result.label)], count)
    }
    writeHistograms(
      .introspectionDuration, counters.introspectionDurations, label: "issuer", names: names.issuers, to: &writer)
  }
}
