// An explanation for people.

import Configuration
import Tokens

extension Explanation {
  /// - Parameter isColoured: for a terminal.
  package func text(isColoured: Bool = false) -> String {
    let writer = Writer(isColoured: isColoured)
    var lines = ["\(request.url.shown) from \(request.client)", "", "routes"]
    if let route = outcome.route { lines.append(writer.good(route, "takes it")) }
    for other in otherRoutes { lines.append(writer.bad(other.route, other.reason)) }
    if withOtherPath > 0 {
      lines.append(writer.plain("", "\(withOtherPath) \(withOtherPath == 1 ? "has" : "have") another path"))
    }
    if !steps.isEmpty { lines += ["", "token"] + steps.map { tokenLine($0, writer) } + leftOut(writer) }
    if !asked.isEmpty { lines += ["", "asked"] + asked.map { writer.plain($0.source, $0.words) } }
    if !senderSteps.isEmpty { lines += ["", "sender"] + senderSteps.map { senderLine($0, writer) } }
    if !requirements.isEmpty {
      lines += ["", "the route requires"] + requirements.map { writer.plain("", $0) }
    }
    if !limits.isEmpty { lines += ["", "limits"] + limits.map { writer.plain("", $0) } }
    if let service, let asked = outcome.serviceRequest {
      let verdict = isServiceInShadow ? "in shadow: every request passes" : "taken to let the request pass"
      lines += ["", "service \(service), server \(asked.server), not asked here and \(verdict)"]
      lines.append(writer.plain("", "GET \(asked.target)"))
      lines += askedFields.map { writer.plain("", "\($0.name): \($0.value ?? "(not shown)")") }
    }
    if !documentRules.isEmpty {
      lines += ["", "graphql"] + documentRules.map { writer.plain("", $0) }
      if let operation = outcome.operation { lines.append(writer.plain("operation", operation)) }
    }
    if let sent = outcome.upstreamRequest {
      lines += ["", "upstream \(outcome.upstream ?? ""), server \(sent.server)"]
      lines.append(writer.plain("", "\(request.url.method) \(sent.target)"))
      lines += sentFields.map { field in
        writer.plain("", "\(field.name): \(field.value ?? "(not shown)")   \(field.origin.words)")
      }
    }
    lines += ["", "answer"]
    let place = RehearsedOutcome.value(of: "Location", in: outcome.fields).map { "to \($0)" } ?? ""
    if let code = outcome.shadowCode {
      lines.append(writer.bad("in shadow", "\(code) if the rule counted, and the request goes on without identity"))
    }
    if outcome.upstreamRequest != nil {
      lines.append(writer.good("", "that of the upstream"))
    } else if outcome.code == nil {
      lines.append(writer.good("\(outcome.status)", place.isEmpty ? "of the gateway" : place))
    } else {
      lines.append(writer.bad(outcome.statusInWords, place))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func tokenLine(_ report: TokenStepReport, _ writer: Writer) -> String {
    if report.isPassed {
      let expected = report.expected.isEmpty || report.expected == report.got ? "" : "   (expected: \(report.expected))"
      return writer.good(report.step.name, report.got + expected)
    }
    let expected = report.expected.isEmpty ? "" : "expected \(report.expected), "
    let remedy = report.remedy.isEmpty ? "" : ": \(report.remedy)"
    return writer.bad(report.step.name, "\(expected)got \(report.got)\(remedy)")
  }

  private func senderLine(_ report: SenderStepReport, _ writer: Writer) -> String {
    if report.isPassed {
      return writer.good(report.name, report.got.isEmpty ? report.expected : report.got)
    }
    return writer.bad(report.name, "expected \(report.expected), got \(report.got)")
  }

  private func leftOut(_ writer: Writer) -> [String] {
    guard let last = steps.last, !last.isPassed else { return [] }
    let rest = TokenStep.allCases.filter { $0.rawValue > last.step.rawValue }.map(\.name)
    return rest.isEmpty ? [] : [writer.plain("", "not looked at: \(rest.joined(separator: ", "))")]
  }

  /// Lines with a mark, a name and words.
  private struct Writer {
    let isColoured: Bool

    func good(_ name: String, _ words: String) -> String { line("✔", "32", name, words) }

    func bad(_ name: String, _ words: String) -> String { line("✘", "31", name, words) }

    func plain(_ name: String, _ words: String) -> String { line(" ", nil, name, words) }

    private func line(_ mark: String, _ colour: String?, _ name: String, _ words: String) -> String {
      let shown = colour.map { isColoured ? "\u{1B}[\($0)m\(mark)\u{1B}[0m" : mark } ?? mark
      let padding = name.isEmpty ? "" : String(repeating: " ", count: max(1, 16 - name.count))
      return "  \(shown) \(name)\(words.isEmpty ? "" : padding)\(words)"
    }
  }
}

extension Explanation.SentField.Origin {
  fileprivate var words: String {
    switch self {
    case .client: "from the client"
    case .identity: "from the token"
    case .assertion: "signed by the gateway"
    case .rule: "by request_headers"
    case .gateway: "by the gateway"
    }
  }
}
