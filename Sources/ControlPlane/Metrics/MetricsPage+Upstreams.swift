// The part of the page about upstreams and their servers.

import Proxy

extension MetricsPage {
  func renderUpstreams(to text: inout PrometheusText) {
    text.family(.upstreamHealthy)
    renderServers(to: &text) { text, labels, server in text.sample(labels, gauge: server.isFit ? 1 : 0) }
    text.family(.upstreamChecks)
    renderServers(to: &text) { text, labels, server in
      if server.health == .unchecked { return }
      text.sample(labels + [("result", "passed")], server.checkCounts.passed)
      text.sample(labels + [("result", "failed")], server.checkCounts.failed)
    }
    text.family(.upstreamEjections)
    renderServers(to: &text) { text, labels, server in
      if server.isEjectable { text.sample(labels, server.ejectionCount) }
    }
    text.family(.upstreamPanic)
    for upstream in upstreams { text.sample([("upstream", upstream.name)], gauge: upstream.isPanicking ? 1 : 0) }
    text.family(.upstreamActive)
    for upstream in upstreams { text.sample([("upstream", upstream.name)], gauge: upstream.activeCount) }
    text.family(.upstreamQueued)
    for upstream in upstreams where upstream.hasQueue {
      text.sample([("upstream", upstream.name)], gauge: upstream.waitingCount)
    }
    text.family(.upstreamLimit)
    for upstream in upstreams {
      if let max = upstream.requestsMax { text.sample([("upstream", upstream.name)], gauge: max) }
    }
    text.family(.upstreamRejected)
    for (id, name) in names.upstreams.enumerated() {
      for reason in [GatewayRefusal.upstreamOverloaded, .upstreamQueueTimeout, .upstreamUnavailable] {
        text.sample([("upstream", name), ("reason", reason.rawValue)], counters.rejections(upstream: id, reason))
      }
    }
  }

  private func renderServers(
    to text: inout PrometheusText,
    _ render: (inout PrometheusText, [(name: String, value: String)], UpstreamState.Server) -> Void
  ) {
    for upstream in upstreams {
      // Two names may lead to one address, and a series may appear only once.
      var seen: Set<String> = []
      for server in upstream.servers where seen.insert(server.address).inserted {
        render(&text, [("upstream", upstream.name), ("server", server.address)], server)
      }
    }
  }
}
