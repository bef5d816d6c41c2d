// `catraca check`: every error and warning of a file, with its place.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import Glibc

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check configuration files.",
    discussion: """
      Nothing is started, and nothing is asked of the network. Findings are on standard error, or with --format json \
      and github on standard output.

      Exit codes: 0 if all files are good, 1 if one is not (with --strict also for a warning), 64 for a command line \
      that is not valid.

      Environment: ${NAME} in a file is a variable, which must be set unless --no-files is given. \
      docs/CONFIGURATION.md has every key.
      """)

  enum Format: String, CaseIterable, ExpressibleByArgument {
    case text, json, github
  }

  @Argument(help: "The configuration files. - is standard input. (default: gateway.conf)")
  var files: [String] = []

  @Flag(help: "Warnings count as errors.")
  var strict = false

  @Flag(help: "Do without the certificates, keys, secrets and variables of the machine that the file is for.")
  var noFiles = false

  @Flag(name: .customLong("no-tests"), help: "Leave the tests of the files out.")
  var leavesTestsOut = false

  @Option(help: "How findings are written: text, json (an object a line), or github (annotations of a workflow).")
  var format = Format.text

  func run() throws {
    var isGood = true
    for file in files.isEmpty ? [try configurationFile(nil, for: "check")] : files {
      let checked = check(file)
      let hasErrors = checked.findings.contains { $0.severity == .error }
      isGood = isGood && !hasErrors && !(strict && !checked.findings.isEmpty)
      try write(checked)
      guard format == .text, !hasErrors, let (routes, tests) = checked.counts else { continue }
      let tested = tests == 0 ? "" : ", \(tests) \(tests == 1 ? "test passes" : "tests pass")"
      try writeOutputOrExit("\(checked.file): ok, \(routes) \(routes == 1 ? "route" : "routes")\(tested)\n")
    }
    if !isGood { throw ExitCode(1) }
  }

  private struct Checked {
    let file: String
    let findings: [Diagnostic]
    /// Nil for a file with errors.
    let counts: (routes: Int, tests: Int)?
  }

  private func check(_ name: String) -> Checked {
    let file = name == "-" ? "standard input" : name
    let result = loadTested(
      path: name == "-" ? "/dev/stdin" : name, shownAs: file, environment: ProcessInfo.processInfo.environment,
      isComplete: !noFiles, runsTests: !leavesTestsOut)
    switch result {
    case .success(let loaded):
      let lists = noFiles ? [] : DenylistFile.findings(of: loaded.configuration)
      if lists.contains(where: { $0.severity == .error }) {
        return Checked(file: file, findings: loaded.warnings + lists, counts: nil)
      }
      let tests = leavesTestsOut || noFiles ? 0 : loaded.configuration.tests.count
      return Checked(
        file: file, findings: loaded.warnings + lists, counts: (routes: loaded.configuration.routes.count, tests: tests)
      )
    case .failure(let errors): return Checked(file: file, findings: errors.diagnostics, counts: nil)
    }
  }

  private func write(_ checked: Checked) throws {
    var lines: [Substring] = []
    var linesFile: String?
    for finding in checked.findings {
      switch format {
      case .text:
        printError("\(finding)")
        guard isatty(STDERR_FILENO) == 1 else { continue }
        if linesFile != finding.file { lines = Self.lines(of: finding.file) }
        linesFile = finding.file
        if let excerpt = Excerpt.text(of: finding.position, in: lines) { printError(excerpt) }
      case .json: try writeOutputOrExit(FindingText.json(finding) + "\n")
      case .github: try writeOutputOrExit(FindingText.annotation(finding) + "\n")
      }
    }
  }

  /// Of a file that is read again for them. What cannot be read again has none.
  private static func lines(of file: String) -> [Substring] {
    let text = (try? readWholeFile(file)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return text.split(separator: "\n", omittingEmptySubsequences: false)
  }
}
