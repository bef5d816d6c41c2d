// The metrics page: readable by a strict reader, with the names of the contract and the right numbers.

import Configuration
import GraphQL
import HTTPWire
import Testing
import Tokens

@testable import ControlPlane
@testable import Proxy

@Suite("Metrics page")
struct MetricsPageTests {
  static let nasty = "a\\b\"c\nd é {x=\"1\"} 日"

  private func configuration() -> GatewayConfiguration {
    var configuration = GatewayConfiguration()
    configuration.routes = ["orders", Self.nasty].map {
      Route(
        name: $0, path: PathPattern(segments: [], isPrefix: true, hasTrailingSlash: false), auth: .public,
        action: .upstream(0))
    }
    var upstream = Upstream(name: "up", servers: [Upstream.Server(address: Address(host: "::1", port: 9000))])
    upstream.healthCheck = HealthCheck()
    upstream.ejection = Ejection()
    upstream.maxRequests = 9
    upstream.queue = RequestQueue()
    configuration.upstreams = [upstream]
    configuration.listeners = [Listener(address: Address(host: "::", port: 80))]
    configuration.issuers = [
      Issuer(name: "login", policy: IssuerPolicy(issuer: "login", audiences: []), keys: .inline([]))
    ]
    return configuration
  }

  private func page() -> MetricsPage {
    let counters = Counters()
    for _ in 0..<2 { counters.countRequest(route: 0, method: .get, status: 200, nanoseconds: 700_000) }
    counters.countRequest(route: 1, method: .other, status: 502, nanoseconds: 20_000_000_000)
    counters.countRequest(route: nil, method: .get, status: 404, nanoseconds: 1)
    counters.countBodies(route: 0, request: 10, response: 20)
    counters.countBodies(route: nil, request: 0, response: 30)
    counters.countUpstream(0, nanoseconds: 3_000_000)
    counters.countRetry(upstream: 0)
    counters.countMirrored(route: 0, .dropped)
    counters.countOperation(route: 0, operation: nil, .query)
    for isDryRun in [true, false, false] { counters.countRateLimited(route: 0, isDryRun: isDryRun) }
    counters.countRateLimitEviction(route: 0)
    counters.countAuthentication(route: 0, issuer: 0, .accepted(.jwt))
    counters.countShadow(route: 0, issuer: 0, .accepted(.jwt))
    counters.countAuthentication(route: 0, issuer: nil, .refused(.tokenMissing))
    counters.countAuthentication(route: 1, issuer: 0, .refused(.tokenExpired))
    counters.countTokenCache(isHit: true)
    counters.countVerification(.rs256, nanoseconds: 16_000)
    counters.moveConnection(listener: 0, from: nil, to: .active)
    counters.moveConnection(upstream: 0, from: nil, to: .idle)
    counters.countError(.gateway(.upstreamClosed))
    counters.countHandshake("resumed")
    counters.countRejection(upstream: 0, .upstreamOverloaded)
    let snapshot = Snapshot(configuration(), generation: 1)
    counters.countStore(0, nil, nanoseconds: 300_000)
    counters.countUnreadable(store: 0)
    var named = configuration()
    named.stores = [RedisStore(name: "main")]
    named.services = [ExternalService(name: "policy")]
    counters.countShadow(route: 1, issuer: nil, .refused(.tokenMissing))
    counters.countAuthorization(service: 0, .refused)
    counters.countAuthorization(service: 0, .unavailable, isShadow: true)
    counters.countAuthorizationCall(service: 0, nanoseconds: 2_000_000)
    counters.countIntrospection(issuer: 0, .inactive, nanoseconds: 3_000_000)
    var copy = counters.copy()
    copy.addActiveRequests(5, listener: 0)
    var spans = ExportCounts()
    spans.sent = 9
    spans.drop(3, .queueFull)
    let loads = [UpstreamLoad(name: "up", waitingCount: 2, activeCounts: [3])]
    return MetricsPage(
      counters: copy, names: CounterNames(named),
      keySets: [
        KeySetMetrics(issuer: "login", keyCount: 3, ageSeconds: 12.3456, refreshes: ["ok": 7, "timeout": 1]),
        KeySetMetrics(issuer: "partner", keyCount: 0, ageSeconds: nil, refreshes: [:]),
      ],
      certificates: ["RSA 2048", "EC P-256"].map {
        CertificateMetrics(listener: "[::]:80", name: "a.test", key: $0, expiresAt: 1_800_000_000)
      },
      upstreams: [UpstreamState(snapshot.configuration.upstreams[0], snapshot.sharing[0], loads: loads + loads, at: 0)],
      stores: [
        StoreState(
          name: "main", servers: [StoreState.Server(address: "10.0.0.5:6379", isUp: true, pendingCount: 2)])
      ],
      sessions: [("web", 11)], apiKeys: [("partners", 3)],
      revocations: [Self.revocation],
      resolutions: [("orders", ["ok": 2, "failed": 1])],
      reloadsSucceeded: 4, reloadsFailed: 1, isLastReloadGood: false, lastReloadTime: 1_700_000_001, droppedLogLines: 5,
      droppedOwnLogLines: 6,
      spans: spans, memory: (7 << 20, 1 << 30), proofMemory: (800, 8192),
      version: "1.2.3",
      process: ProcessMetrics(
        status: "1 (x) S 1 1 1 1 1 1 1 1 1 1 150 50 0 0 0 0 0 0 7 900 3", system: "btime 1600000000",
        openDescriptorCount: 12, descriptorCountMax: 1024, ProcessMetrics.Units(ticksPerSecond: 100, pageByteCount: 10))
    )
  }

  private static let revocation = RevocationStatus(
    issuer: "login",
    lists: [
      RevocationStatus.Lists(
        kind: "denylist", entryCount: 9, byteCount: 320, ageSeconds: 4, isGood: true, lastError: nil,
        results: ["success": 2, "cut": 1])
    ])

  @Test("A strict reader takes the page, and every family of the contract is in it with its type")
  func families() throws {
    let page = try PrometheusReader(page().render())
    #expect(page.families.map(\.name) == MetricFamily.allCases.map(\.rawValue))
    for family in page.families {
      let record = try #require(MetricFamily(rawValue: family.name)?.record)
      #expect(family.type == record.kind.rawValue)
      #expect(!family.samples.isEmpty, "\(family.name)")
      let labels = Set(record.labels.map { "\($0)" })
      for sample in family.samples { #expect(Set(sample.labels.keys).subtracting(["le"]) == labels, "\(sample)") }
    }
  }

  @Test("An upstream's servers appear under their addresses, and what several workers have is added up")
  func upstreams() throws {
    let page = String(decoding: page().render(), as: UTF8.self)
    for line in [
      "catraca_upstream_healthy{upstream=\"up\",server=\"[::1]:9000\"} 1",
      "catraca_upstream_checks_total{upstream=\"up\",server=\"[::1]:9000\",result=\"passed\"} 0",
      "catraca_upstream_ejections_total{upstream=\"up\",server=\"[::1]:9000\"} 0",
      "catraca_upstream_requests_active{upstream=\"up\"} 6", "catraca_upstream_queued{upstream=\"up\"} 4",
      "catraca_upstream_requests_limit{upstream=\"up\"} 9", "catraca_upstream_panic{upstream=\"up\"} 0",
      "catraca_upstream_rejected_total{upstream=\"up\",reason=\"upstream_overloaded\"} 1",
    ] { #expect(page.contains(line + "\n"), "\(line)") }
  }

  @Test("Counts and gauges appear under their labels")
  func values() throws {
    let page = try PrometheusReader(page().render())
    let nasty = Self.nasty
    let expected: [(String, [String: String], Double)] = [
      ("catraca_requests_total", ["route": "orders", "method": "GET", "code": "200"], 2),
      ("catraca_requests_total", ["route": nasty, "method": "other", "code": "502"], 1),
      ("catraca_requests_total", ["route": "", "method": "GET", "code": "404"], 1),
      ("catraca_requests_active", ["listener": "[::]:80"], 5),
      ("catraca_request_body_bytes_total", ["route": "orders"], 10),
      ("catraca_request_body_bytes_total", ["route": ""], 0),
      ("catraca_response_body_bytes_total", ["route": "orders"], 20),
      ("catraca_response_body_bytes_total", ["route": ""], 30),
      ("catraca_upstream_retries_total", ["upstream": "up"], 1),
      ("catraca_rate_limited_total", ["route": "orders"], 2),
      ("catraca_rate_limited_dry_run_total", ["route": "orders"], 1),
      ("catraca_rate_limit_evictions_total", ["route": "orders"], 1),
      ("catraca_errors_total", ["reason": "upstream_closed"], 1),
      ("catraca_log_dropped_total", [:], 6),
      ("catraca_access_log_dropped_total", [:], 5),
      ("catraca_traces_sent_total", [:], 9), ("catraca_traces_dropped_total", ["reason": "queue_full"], 3),
      ("catraca_traces_dropped_total", ["reason": "rejected"], 0),
      ("catraca_auth_total", ["auth_kind": "jwt", "issuer": "login", "result": "accepted", "route": "orders"], 1),
      ("catraca_auth_total", ["auth_kind": "", "issuer": "", "result": "token_missing", "route": "orders"], 1),
      ("catraca_auth_total", ["auth_kind": "", "issuer": "login", "result": "token_expired", "route": nasty], 1),
      ("catraca_token_cache_total", ["result": "hit"], 1),
      ("catraca_token_cache_total", ["result": "miss"], 0),
      ("catraca_connections", ["listener": "[::]:80", "state": "active"], 1),
      ("catraca_connections", ["listener": "[::]:80", "state": "idle"], 0),
      ("catraca_upstream_connections", ["upstream": "up", "state": "idle"], 1),
      ("catraca_memory_bytes", [:], 7 * 1024 * 1024),
      ("catraca_memory_limit_bytes", [:], 1024 * 1024 * 1024),
      ("catraca_proof_memory_bytes", [:], 800),
      ("catraca_proof_memory_limit_bytes", [:], 8192),
      ("catraca_jwks_refresh_total", ["issuer": "login", "result": "ok"], 7),
      ("catraca_jwks_refresh_total", ["issuer": "login", "result": "timeout"], 1),
      ("catraca_jwks_age_seconds", ["issuer": "login"], 12.346),
      ("catraca_jwks_keys", ["issuer": "login"], 3),
      ("catraca_jwks_keys", ["issuer": "partner"], 0),
      ("catraca_config_reloads_total", ["result": "ok"], 4),
      ("catraca_config_reloads_total", ["result": "error"], 1),
      ("catraca_config_last_reload_successful", [:], 0),
      ("catraca_config_last_reload_success_timestamp_seconds", [:], 1_700_000_001),
      (
        "catraca_tls_certificate_expiry_timestamp_seconds",
        ["listener": "[::]:80", "name": "a.test", "key": "EC P-256"], 1_800_000_000
      ),
      ("process_cpu_seconds_total", [:], 2),
      ("process_open_fds", [:], 12),
      ("process_max_fds", [:], 1024),
      ("process_virtual_memory_bytes", [:], 900),
      ("process_resident_memory_bytes", [:], 30),
      ("process_start_time_seconds", [:], 1_600_000_000.07),
      ("catraca_build_info", ["version": "1.2.3"], 1),
    ]
    for (name, labels, value) in expected { #expect(page.value(name, labels) == value, "\(name) \(labels)") }
    #expect(page.value("catraca_jwks_age_seconds", ["issuer": "partner"]) == nil)
  }

  @Test("Histograms are cumulative, in seconds")
  func histograms() throws {
    let page = try PrometheusReader(page().render())
    func bucket(_ route: String, _ bound: String) -> Double? {
      page.value("catraca_request_duration_seconds_bucket", ["route": route, "le": bound])
    }
    #expect(["0.0005", "0.001", "0.0025", "10", "+Inf"].map { bucket("orders", $0) } == [0, 2, 2, 2, 2])
    #expect(["0.0005", "10", "+Inf"].map { bucket(Self.nasty, $0) } == [0, 0, 1])
    #expect(page.value("catraca_request_duration_seconds_sum", ["route": "orders"]) == 0.0014)
    #expect(page.value("catraca_request_duration_seconds_count", ["route": "orders"]) == 2)
    #expect(page.value("catraca_upstream_duration_seconds_sum", ["upstream": "up"]) == 0.003)
    #expect(page.value("catraca_token_verify_seconds_bucket", ["algorithm": "RS256", "le": "0.00001"]) == 0)
    #expect(page.value("catraca_token_verify_seconds_bucket", ["algorithm": "RS256", "le": "0.000025"]) == 1)
    #expect(page.value("catraca_token_verify_seconds_count", ["algorithm": "ES256"]) == nil)
  }

  @Test("Names of a route that is gone stay, so that no counter goes back")
  func reload() throws {
    var page = page()
    var changed = configuration()
    changed.routes.remove(at: 0)
    page.names = CounterNames(changed, after: page.names)
    let read = try PrometheusReader(page.render())
    #expect(read.value("catraca_requests_total", ["route": "orders", "method": "GET", "code": "200"]) == 2)
  }

  @Test("A gateway that has seen nothing shows a page as well")
  func empty() throws {
    let names = CounterNames(GatewayConfiguration())
    let page = try PrometheusReader(MetricsPage(counters: CountersSnapshot(), names: names, version: "1").render())
    #expect(page.families.count == MetricFamily.allCases.count)
  }

  @Test(
    "Seconds are exact decimals",
    arguments: [(0, "0"), (1, "0.000000001"), (500_000, "0.0005"), (1_000_000_000, "1"), (10_500_000_000, "10.5")])
  func seconds(_ nanoseconds: UInt64, _ expected: String) {
    #expect(PrometheusText.seconds(nanoseconds) == expected)
  }

  @Test("An odd age ends in a number", arguments: [-1, .nan, .infinity, 1e300, 0])
  func oddAge(_ age: Double) throws {
    let keySet = KeySetMetrics(issuer: "i", keyCount: 1, ageSeconds: age, refreshes: [:])
    let page = MetricsPage(
      counters: CountersSnapshot(), names: CounterNames(GatewayConfiguration()), keySets: [keySet], version: "1")
    #expect(try PrometheusReader(page.render()).value("catraca_jwks_age_seconds", ["issuer": "i"]) == 0)
  }

  @Test(
    "The strict reader refuses what is not the format",
    arguments: [
      "x 1", "# HELP a b\n# TYPE a counter\na 1", "# HELP a b\n# TYPE a counter\na 1\na 2\n",
      "# HELP a b\n# TYPE a counter\nb 1\n", "# HELP a b\n# TYPE a counter\na{x=\"1} 1\n",
      "# HELP a b\n# TYPE a counter\na{x=\"\\q\"} 1\n", "# HELP a b\n# TYPE a counter\na{x=\"\",x=\"\"} 1\n",
      "# HELP a b\n# TYPE a counter\na NaN\n", "# HELP a b\n# TYPE a histogram\na_count 1\n",
      "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
    ])
  func strictness(_ text: String) {
    #expect(throws: PrometheusReader.Failure.self) { try PrometheusReader(Array(text.utf8)) }
  }
}
