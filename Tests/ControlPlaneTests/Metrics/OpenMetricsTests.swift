// Which scrape gets OpenMetrics, and what that format has otherwise than Prometheus' own.

import Configuration
import HTTPWire
import Proxy
import Testing

@testable import ControlPlane

@Suite("OpenMetrics")
struct OpenMetricsTests {
  @Test(
    "OpenMetrics is for whoever names it and likes nothing else better",
    arguments: [
      ("application/openmetrics-text", true), ("application/openmetrics-text; version=1.0.0; charset=utf-8", true),
      ("Application/OpenMetrics-Text;Version=\"1.0.0\"", true),
      // Prometheus 2 and 3.
      (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
          + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true
      ),
      (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;"
          + "version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,"
          + "/;q=0.1", true
      ),
      ("text/plain, application/openmetrics-text;q=0.9", false),
      ("text/plain;q=0.9,application/openmetrics-text", true),
      ("application/openmetrics-text;q=0.5,text/*;q=0.6", false), ("*/*,application/openmetrics-text;q=0.5", false),
      ("application/openmetrics-text;q=0.5,text/plain;q=0.4,*/*", true),
      ("application/openmetrics-text;q=0", false), ("application/openmetrics-text;version=0.0.1", false),
      ("application/openmetrics-text;q=2", false), ("application/openmetrics-text;q=", false),
      ("application/openmetrics-text;q=nan", false), ("application/openmetrics-text;q=-1", false),
      ("", false), ("*/*", false), ("text/html", false), (";;,,;q=1", false),
    ])
  func negotiation(_ accept: String, _ isOpen: Bool) {
    let format = MetricsFormat(accept: [accept])
    #expect(format == (isOpen ? .openMetrics : .prometheus))
    #expect(format.contentType.hasPrefix(isOpen ? "application/openmetrics-text; version=1.0.0" : "text/plain"))
  }

  @Test("Several lines of Accept are one list")
  func lines() {
    #expect(MetricsFormat(accept: ["text/plain;q=0.5", "application/openmetrics-text"]) == .openMetrics)
    #expect(MetricsFormat(accept: []) == .prometheus)
  }

  private func page(_ format: MetricsFormat) throws -> [String] {
    var configuration = GatewayConfiguration()
    configuration.routes = [
      Route(
        name: "orders", path: PathPattern(segments: [], isPrefix: true, hasTrailingSlash: false), auth: .public,
        action: .upstream(0))
    ]
    let (first, second) = (Counters(), Counters())
    for (counters, id) in [(first, 1), (second, 2)] as [(Counters, UInt64)] {
      for duration in [700_000, 20_000_000_000] as [UInt64] {
        counters.countRequest(route: 0, method: .get, status: 200, nanoseconds: duration)
      }
      counters.noteExemplar(
        route: 0,
        Exemplar(
          traceHigh: 0xA, traceLow: id, spanID: 0xB, nanoseconds: 700_000,
          unixMilliseconds: 1_700_000_000_500 + Int64(id)))
    }
    second.noteExemplar(
      route: 0,
      Exemplar(
        traceHigh: .max, traceLow: 0, spanID: 1, nanoseconds: 20_000_000_000, unixMilliseconds: 1_700_000_000_000))
    var sum = first.copy()
    sum.merge(second.copy())
    let page = MetricsPage(counters: sum, names: CounterNames(configuration), version: "1.2.3")
    return String(decoding: page.render(format), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test("A bucket has the newest traced request of all workers, and no other bucket has one")
  func exemplars() throws {
    let lines = try page(.openMetrics).filter { $0.contains(" # ") && !$0.hasPrefix("#") }
    #expect(
      lines == [
        "catraca_request_duration_seconds_bucket{route=\"orders\",le=\"0.001\"} 2 # "
          + "{trace_id=\"000000000000000a0000000000000002\",span_id=\"000000000000000b\"} 0.0007 1700000000.502",
        "catraca_request_duration_seconds_bucket{route=\"orders\",le=\"+Inf\"} 4 # "
          + "{trace_id=\"ffffffffffffffff0000000000000000\",span_id=\"0000000000000001\"} 20 1700000000",
      ])
    #expect(try page(.prometheus).allSatisfy { !$0.contains("trace_id") })
  }

  @Test("Counters lose _total in the head of their family, units are named, and the page says where it ends")
  func form() throws {
    let lines = try page(.openMetrics)
    for line in [
      "# TYPE catraca_requests counter", "catraca_requests_total{route=\"orders\",method=\"GET\",code=\"200\"} 4",
      "# TYPE catraca_request_body_bytes counter", "# UNIT catraca_request_body_bytes bytes",
      "# UNIT catraca_request_duration_seconds seconds", "# TYPE catraca_build info",
      "catraca_build_info{version=\"1.2.3\"} 1", "# UNIT process_start_time_seconds seconds",
      "catraca_request_duration_seconds_bucket{route=\"orders\",le=\"10.0\"} 2",
    ] { #expect(lines.contains(line), "\(line)") }
    #expect(lines.last == "# EOF" && lines.count { $0 == "# EOF" } == 1)
    let plain = try page(.prometheus)
    #expect(plain.allSatisfy { !$0.hasPrefix("# UNIT") && $0 != "# EOF" })
    #expect(plain.contains("# TYPE catraca_requests_total counter"))
    // A unit is the end of its family's name.
    for line in lines where line.hasPrefix("# UNIT ") {
      let words = line.split(separator: " ")
      #expect(words.count == 4 && words[2].hasSuffix("_" + words[3]), "\(line)")
    }
  }
}
