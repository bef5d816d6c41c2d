// The part of the page about services that are asked whether requests may pass.

import Proxy

extension MetricsPage {
  func writeAuthorizations(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.authorizations)
    for (id, result, count) in counters.authorizationCounts where names.services.indices.contains(id) {
      writer.sample([("service", names.services[id]), ("result", result.label)], count)
    }
    writeHistograms(
      .authorizationDuration, counters.authorizationDurations, label: "service", names: names.services, to: &writer)
  }
}
