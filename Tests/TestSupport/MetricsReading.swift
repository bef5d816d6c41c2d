// A reading of the gateway's metrics, by name and labels.

/// All samples of one `/metrics` page.
package struct MetricsReading: Sendable {
  package struct Sample: Sendable, CustomStringConvertible {
    package var name: String
    package var labels: [String: String]
    package var value: Double
    package var description: String { "\(name)\(labels.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }) \(value)" }
  }

  package let samples: [Sample]

  package init(_ page: String) throws {
    samples = try page.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(Self.sample)
  }

  /// The sum of all samples of this name that have these labels.
  package func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
    samples.filter { sample in
      sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
    }.reduce(0) { $0 + $1.value }
  }

  /// Whether a connection was ended because others waited for its place. One that does not open for a second is.
  package var hasGivenUpAny: Bool { sum("catraca_errors_total", ["reason": "idle_given_up"]) > 0 }

  private static func sample(_ line: Substring) throws -> Sample {
    guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
      throw StreamFailure.malformed("metrics line: \(line)")
    }
    let series = line[..<space]
    guard let brace = series.firstIndex(of: "{") else { return Sample(name: String(series), labels: [:], value: value) }
    var labels: [String: String] = [:]
    var rest = series[series.index(after: brace)...]
    while let equals = rest.firstIndex(of: "=") {
      let name = rest[..<equals]
      rest = rest[equals...].dropFirst(2)
      var text = ""
      while let character = rest.popFirst(), character != "\"" {
        if character == "\\", let escaped = rest.popFirst() {
          text.append(escaped == "n" ? "\n" : escaped)
        } else {
          text.append(character)
        }
      }
      labels[String(name)] = text
      if rest.first == "," { rest = rest.dropFirst() }
    }
    return Sample(name: String(series[..<brace]), labels: labels, value: value)
  }
}
