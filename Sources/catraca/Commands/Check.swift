// `catraca check`: every error and warning of a file, with its place.

import ArgumentParser
import Configuration
import ControlPlane
import Foundation

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check configuration files.",
    discussion:
      "Exits with 0 if all are good and with 1 if not. Nothing is started, and nothing is asked of the network.")

  enum Format: String, CaseIterable, ExpressibleByArgument {
    case text, json, github
  }

  @Argument(help: "The configuration files. - is standard input.")
  var files = ["gateway.conf"]

  @Flag(help: "Warnings count as errors.")
  var strict = false

  @Flag(help: "Do without the certificates, keys, secrets and variables of the machine that the file is for.")
  var noFiles = false

  @Option(help: "How findings are written: text, json (an object a line), or github (annotations of a workflow).")
  var format = Format.text

  func run() throws {
    var isGood = true
    for file in files {
      let checked = check(file)
      let hasErrors = checked.findings.contains { $0.severity == .error }
      isGood = isGood && !hasErrors && !(strict && !checked.findings.isEmpty)
      try write(checked)
      guard format == .text, !hasErrors, let count = checked.routeCount else { continue }
      try output("\(checked.file): ok, \(count) \(count == 1 ? "route" : "routes")\n")
    }
    if !isGood { throw ExitCode(1) }
  }

  private struct Checked {
    let file: String
    let text: String
    let findings: [Diagnostic]
    /// Nil for a file with errors.
    let routeCount: Int?
  }

  private func check(_ name: String) -> Checked {
    let file = name == "-" ? "standard input" : name
    let result = ConfigurationReader.load(
      path: name == "-" ? "/dev/stdin" : name, shownAs: file, environment: ProcessInfo.processInfo.environment,
      checkCertificates: CertificateCheck.findings, isComplete: !noFiles)
    // Of a file that is read again for its lines. What cannot be read again has none.
    let text = name == "-" ? "" : (try? readWholeFile(name)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    switch result {
    case .success(let loaded):
      return Checked(
        file: file, text: text, findings: loaded.warnings, routeCount: loaded.configuration.routes.count)
    case .failure(let errors): return Checked(file: file, text: text, findings: errors.diagnostics, routeCount: nil)
    }
  }

  private func write(_ checked: Checked) throws {
    let lines = checked.text.split(separator: "\n", omittingEmptySubsequences: false)
    for finding in checked.findings {
      switch format {
      case .text:
        printError("\(finding)")
        if isatty(STDERR_FILENO) == 1, let excerpt = Excerpt.text(of: finding.position, in: lines) {
          printError(excerpt)
        }
      case .json: try output(FindingText.json(finding) + "\n")
      case .github: try output(FindingText.annotation(finding) + "\n")
      }
    }
  }

  private func output(_ text: String) throws {
    do {
      try writeOutput(text)
    } catch {
      printError("catraca: \(error)")
      throw ExitCode(1)
    }
  }
}
