// The part of the page about upstreams and their servers.

import Proxy

extension MetricsPage {
  func writeUpstreams(to writer: inout some MetricsWriter & ~Copyable) {
    writer.family(.upstreamHealthy)
    writeServers(to: &writer) { writer, labels, server in writer.sample(labels, gauge: server.isFit ? 1 : 0) }
    writer.family(.upstreamChecks)
    writeServers(to: &writer) { writer, labels, server in
      if server.health == .unchecked { return }
      writer.sample(labels + [("result", "passed")], server.checkCounts.passed)
      writer.sample(labels + [("result", "failed")], server.checkCounts.failed)
    }
    writer.family(.upstreamEjections)
    writeServers(to: &writer) { writer, labels, server in
      if server.isEjectable { writer.sample(labels, server.ejectionCount) }
    }
    writer.family(.upstreamPanic)
    for upstream in upstreams { writer.sample([("upstream", upstream.name)], gauge: upstream.isPanicking ? 1 : 0) }
    writer.family(.upstreamActive)
    for upstream in upstreams { writer.sample([("upstream", upstream.name)], gauge: upstream.activeCount) }
    writer.family(.upstreamQueued)
    for upstream in upstreams where upstream.hasQueue {
      writer.sample([("upstream", upstream.name)], gauge: upstream.waitingCount)
    }
    writer.family(.upstreamLimit)
    for upstream in upstreams {
      if let max = upstream.requestsMax { writer.sample([("upstream", upstream.name)], gauge: max) }
    }
    writer.family(.upstreamRejected)
    for (id, name) in names.upstreams.enumerated() {
      for reason in [GatewayRefusal.upstreamOverloaded, .upstreamQueueTimeout, .upstreamUnavailable] {
        writer.sample([("upstream", name), ("reason", reason.rawValue)], counters.rejections(upstream: id, reason))
      }
    }
  }

  private func writeServers<Writer: MetricsWriter & ~Copyable>(
    to writer: inout Writer, _ write: (inout Writer, [(name: String, value: String)], UpstreamState.Server) -> Void
  ) {
    for upstream in upstreams {
      // Two names may lead to one address, and a series may appear only once.
      var seen: Set<String> = []
      for server in upstream.servers where seen.insert(server.address).inserted {
        write(&writer, [("upstream", upstream.name), ("server", server.address)], server)
      }
    }
  }
}
