// Prometheus itself, which asks a gateway every second.

import Foundation
import TestSupport

struct PrometheusServer {
  let folder: TemporaryFolder
  let process: ChildProcess
  let port: Int

  static let documents = URL(filePath: #filePath).appending(path: "../../../../docs/observability").standardized

  /// With our rules.
  static func start(scraping port: Int, options: [String] = []) async throws -> PrometheusServer {
    let folder = try TemporaryFolder()
    let rules = ["recording.yml", "alerts.yml"].map { documents.appending(path: $0).path }
    let text = """
      global: { scrape_interval: 1s, evaluation_interval: 1s }
      rule_files: \(rules)
      scrape_configs:
        - { job_name: catraca, static_configs: [{ targets: ["127.0.0.1:\(port)"] }] }
      """
    try folder.write("prometheus.yml", Data(text.utf8))
    let process = try ChildProcess.start(
      "/usr/bin/env",
      [
        "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        "--web.listen-address=127.0.0.1:0",
      ] + options, in: folder.url)
    let own = try await process.output.wait(for: "Prometheus to listen") { output in
      output.standardError.first { $0.contains("msg=\"Listening on\"") }.flatMap { line in
        line.components(separatedBy: "address=127.0.0.1:").last.flatMap { Int($0) }
      }
    }
    try await process.output.wait(for: "Prometheus to be ready") { output in
      output.standardError.contains { $0.contains("Server is ready to receive web requests") } ? () : nil
    }
    return PrometheusServer(folder: folder, process: process, port: own)
  }

  private struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private func get(_ path: String) async throws -> Any {
    let client = try await RawClient.connect(port: port)
    let answer = try await client.exchange("GET \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    let document = try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any]
    guard answer.status == 200, let data = document?["data"] else {
      throw Failure(description: "\(path): \(answer.text)")
    }
    return data
  }

  private static func encoded(_ expression: String) -> String {
    expression.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }

  /// The values of a query now, those that are not a number left out.
  func values(of expression: String) async throws -> [Double] {
    let data = try await get("/api/v1/query?query=\(Self.encoded(expression))") as? [String: Any]
    let samples = data?["result"] as? [[String: Any]] ?? []
    return samples.compactMap { ($0["value"] as? [Any])?.last as? String }.compactMap(Double.init)
      .filter { !$0.isNaN }
  }

  /// Each rule with its health and its last error.
  func rules() async throws -> [(name: String, type: String, health: String, error: String)] {
    let groups = (try await get("/api/v1/rules") as? [String: Any])?["groups"] as? [[String: Any]] ?? []
    return groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }.map { rule in
      func text(_ key: String) -> String { rule[key] as? String ?? "" }
      return (text("name"), text("type"), text("health"), text("lastError"))
    }
  }

  /// The labels and values of the exemplars of a query's series, since 1970 began.
  func exemplars(of expression: String) async throws -> [(labels: [String: String], value: Double)] {
    let path = "/api/v1/query_exemplars?query=\(Self.encoded(expression))&start=0&end=9000000000"
    return (try await get(path) as? [[String: Any]] ?? []).flatMap { series in
      (series["exemplars"] as? [[String: Any]] ?? []).map { exemplar in
        (
          exemplar["labels"] as? [String: String] ?? [:],
          (exemplar["value"] as? String).flatMap(Double.init) ?? .nan
        )
      }
    }
  }
}
