// A strict reader of Prometheus' text format 0.0.4, for tests: what it takes, Prometheus takes.

/// A page as read, or the reason why it is not one.
struct PrometheusReader {
  struct Sample: Equatable {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  struct Family {
    var name: String
    var help: String?
    var type: String?
    var samples: [Sample] = []
  }

  struct Failure: Error, CustomStringConvertible {
    var line: String
    var reason: String
    var description: String { "\(reason): \(line)" }
  }

  private(set) var families: [Family] = []

  init(_ bytes: [UInt8]) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(line: "", reason: "not UTF-8") }
    guard text.hasSuffix("\n") else { throw Failure(line: "", reason: "no line feed at the end") }
    var seen: Set<String> = []
    for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      try read(String(line), &seen)
    }
    for family in families { try checkHistogram(family) }
  }

  /// The value of the only sample with a name and labels.
  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
  }

  private mutating func read(_ line: String, _ seen: inout Set<String>) throws {
    if line.hasPrefix("# ") {
      let parts = line.split(separator: " ", maxSplits: 3)
      guard parts.count == 4, parts[1] == "HELP" || parts[1] == "TYPE", Self.isName(parts[2]) else {
        throw Failure(line: line, reason: "odd comment")
      }
      let name = String(parts[2])
      if families.last?.name != name {
        guard parts[1] == "HELP", !families.contains(where: { $0.name == name }) else {
          throw Failure(line: line, reason: "family out of place")
        }
        families.append(Family(name: name, help: String(parts[3])))
      } else {
        guard parts[1] == "TYPE", families[families.count - 1].type == nil,
          ["counter", "gauge", "histogram"].contains(parts[3])
        else { throw Failure(line: line, reason: "odd type") }
        families[families.count - 1].type = String(parts[3])
      }
      return
    }
    let sample = try Self.sample(line)
    guard let family = families.last, let type = family.type else {
      throw Failure(line: line, reason: "sample without family")
    }
    let suffixes = type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    guard suffixes.contains(where: { family.name + $0 == sample.name }) else {
      throw Failure(line: line, reason: "sample of another family")
    }
    let key = sample.name + sample.labels.sorted { $0.key < $1.key }.map { "\u{0}\($0.key)\u{0}\($0.value)" }.joined()
    guard seen.insert(key).inserted else { throw Failure(line: line, reason: "sample twice") }
    families[families.count - 1].samples.append(sample)
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.first, first.isLetter || first == "_" else { return false }
    return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
  }

  private static func sample(_ line: String) throws -> Sample {
    var rest = Substring(line)
    let name = rest.prefix { $0 != "{" && $0 != " " }
    guard isName(name) else { throw Failure(line: line, reason: "odd name") }
    rest = rest.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      repeat {
        rest = rest.dropFirst()
        let label = rest.prefix { $0 != "=" }
        rest = rest.dropFirst(label.count)
        guard isName(label), rest.hasPrefix("=\"") else { throw Failure(line: line, reason: "odd label") }
        rest = rest.dropFirst(2)
        let value = try quoted(&rest, line)
        guard labels.updateValue(value, forKey: String(label)) == nil else {
          throw Failure(line: line, reason: "label twice")
        }
      } while rest.first == ","
      guard rest.first == "}" else { throw Failure(line: line, reason: "labels not closed") }
      rest = rest.dropFirst()
    }
    guard rest.first == " ", let value = number(rest.dropFirst()) else {
      throw Failure(line: line, reason: "odd value")
    }
    return Sample(name: String(name), labels: labels, value: value)
  }

  private static func number(_ text: Substring) -> Double? {
    text.allSatisfy { "0123456789.-".contains($0) } ? Double(text) : nil
  }

  private static func quoted(_ rest: inout Substring, _ line: String) throws -> String {
    var value = String.UnicodeScalarView()
    var scalars = rest.unicodeScalars
    while let scalar = scalars.popFirst(), scalar != "\"" {
      guard scalar == "\\" else {
        value.append(scalar)
        continue
      }
      switch scalars.popFirst() {
      case "\\": value.append("\\")
      case "\"": value.append("\"")
      case "n": value.append("\n")
      default: throw Failure(line: line, reason: "odd escape")
      }
    }
    rest = Substring(scalars)
    return String(value)
  }

  /// Buckets rise to `+Inf`, which is the count.
  private func checkHistogram(_ family: Family) throws {
    guard family.type == "histogram" else { return }
    var last: (labels: [String: String], bound: Double, count: Double)?
    for sample in family.samples {
      var labels = sample.labels
      if sample.name.hasSuffix("_bucket") {
        guard let text = labels.removeValue(forKey: "le"), let bound = text == "+Inf" ? .infinity : Double(text) else {
          throw Failure(line: "\(sample)", reason: "bucket without bound")
        }
        if let last, last.labels == labels, bound <= last.bound || sample.value < last.count {
          throw Failure(line: "\(sample)", reason: "bucket does not rise")
        }
        last = (labels, bound, sample.value)
      } else if sample.name.hasSuffix("_count") {
        guard let last, last.labels == labels, last.bound == .infinity, last.count == sample.value else {
          throw Failure(line: "\(sample)", reason: "count is not the last bucket's")
        }
      }
    }
  }
}
