// One run over one file: the findings so far, and the outside world as the caller gave it. Every error is added here
// and reading goes on, so that one run reports all.

/// The state of one run. Never leaves the reader.
final class Reading {
  /// By their index in positions: the configuration file, and what it includes.
  private(set) var files: [SourceFile]
  let environment: [String: String]
  let readFile: (String) throws -> [UInt8]
  let listFolder: (String) throws -> [String]
  let signature: (String) -> FileSignature
  private let kindOfPath: (String) -> PathKind?
  private let checkCertificates: (CertificateReference) -> [CertificateFinding]
  private(set) var certificates: [CertificateReference] = []
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var errorCount = 0
  // LIMIT: errors, and warnings, that are shown.
  static let shownMax = 1000
  private var shown = (errors: 0, warnings: 0)
  private(set) var sources = ConfigurationSources()
  /// Of all files, aliases and inherited keys as often as they count.
  var nodeCount = 0
  /// Where the piece begins of a file that is read in pieces.
  var shift: (file: Int, lines: Int) = (-1, 0)
  /// `defaults` of each file that has them.
  var defaults: [SourceNode] = []
  /// What was said about inherited values.
  private var inheritedFindings: Set<Finding> = []
  /// What the sections say that were read so far.
  var names = Names()
  /// What the route says that is being read.
  var route = RouteContext()
  private var redaction = Redaction()
  private var unreadable: Set<SourcePosition> = []
  /// Whether files and variables that are missing are mistakes.
  private let isComplete: Bool
  /// A value is left out because this machine does not have it.
  private(set) var lacksValues = false

  init(
    file: String, folder: String, environment: [String: String], readFile: @escaping (String) throws -> [UInt8],
    listFolder: @escaping (String) throws -> [String] = { _ in throw FileReadError(description: "there are none") },
    signature: @escaping (String) -> FileSignature = { _ in .missing },
    kindOfPath: @escaping (String) -> PathKind? = { _ in nil },
    checkCertificates: @escaping (CertificateReference) -> [CertificateFinding] = { _ in [] }, isComplete: Bool = true
  ) {
    self.isComplete = isComplete
    files = [SourceFile(name: file, folder: folder)]
    self.environment = environment
    self.readFile = readFile
    self.listFolder = listFolder
    self.signature = signature
    self.kindOfPath = kindOfPath
    self.checkCertificates = checkCertificates
  }

  func error(_ position: SourcePosition, _ message: @autoclosure () -> String) {
    if unreadable.contains(shifted(position)) { return }
    errorCount += 1
    add(.error, position, message())
  }

  /// One error for a value that is not available at all. What else is said about it would be noise.
  func errorInValue(_ position: SourcePosition, _ message: @autoclosure () -> String) {
    error(position, message())
    unreadable.insert(shifted(position))
  }

  /// A value that this machine does not have.
  private func lack(_ position: SourcePosition, _ message: String) {
    if isComplete { return errorInValue(position, message) }
    unreadable.insert(shifted(position))
    lacksValues = true
  }

  func warn(_ position: SourcePosition, _ message: @autoclosure () -> String) {
    add(.warning, position, message())
  }

  private func note(_ count: Int, _ severity: Diagnostic.Severity) {
    switch severity {
    case .error: shown.errors += count
    case .warning: shown.warnings += count
    }
  }

  /// A message is made only where it is shown.
  private func add(_ severity: Diagnostic.Severity, _ position: SourcePosition, _ message: @autoclosure () -> String) {
    let count = severity == .error ? shown.errors : shown.warnings
    if count > Self.shownMax { return }
    note(1, severity)
    let text =
      count < Self.shownMax
      ? fit(message(), at: position)
      : "more than \(count) \(severity == .error ? "errors" : "warnings"): those that were found later are not shown"
    diagnostics.append(
      Diagnostic(severity, file: files[position.file].name, position: shifted(position), message: text))
  }

  private func shifted(_ position: SourcePosition) -> SourcePosition {
    var result = position
    if position.file == shift.file { result.line += shift.lines }
    return result
  }

  /// T59, T89: the contents of a variable or a secret's file may be secret, so its name is shown instead. The result is
  /// then bounded, as foreign text may be long.
  private func fit(_ message: String, at position: SourcePosition) -> String {
    let text = redaction.fit(message, at: position)
    return text.unicodeScalars.count <= 600 ? text : String(text.unicodeScalars.prefix(600)) + "…"
  }

  /// Whether a variable or a file has put text into the value here.
  func isSubstituted(_ position: SourcePosition) -> Bool { redaction.isSubstituted(position) }

  /// Takes another file in.
  /// - Returns: its index in positions.
  func addFile(_ file: SourceFile) -> Int {
    files.append(file)
    return files.count - 1
  }

  /// Where a line is, for a message about another one.
  func place(of other: SourcePosition, from position: SourcePosition) -> String {
    "line \(other.line)" + (other.file == position.file ? "" : " of \(files[other.file].name)")
  }

  /// Notes files with certificates or keys, and reports at their positions what the caller finds wrong with them.
  func note(_ reference: CertificateReference) {
    certificates.append(reference)
    if !isComplete { return }
    for finding in checkCertificates(reference) {
      switch finding.severity {
      case .error: error(finding.position, finding.message.visible)
      case .warning: warn(finding.position, finding.message.visible)
      }
    }
  }

  /// What this machine has at a path. Nil where that does not matter.
  func kind(of path: String) -> PathKind? { isComplete ? kindOfPath(path) : nil }

  /// Absolute, or relative to the folder of the file that names it.
  func resolve(path: String, at position: SourcePosition) -> String {
    if path.hasPrefix("/") { return path }
    let folder = files[position.file].folder
    if folder.isEmpty || folder == "." { return path }
    return folder.hasSuffix("/") ? folder + path : folder + "/" + path
  }
}

// MARK: Inherited values

extension Reading {
  /// A message at a position.
  private struct Finding: Hashable {
    var position: SourcePosition
    var message: String
  }

  /// What was found since `count` about values that others inherit. It is not said again for those.
  func noteFindings(since count: Int) {
    for finding in diagnostics[count...] {
      inheritedFindings.insert(Finding(position: finding.position, message: finding.message))
    }
  }

  /// What was found since `count` about values that a route inherits is said for the first such route, by its line.
  func nameHeir(_ heir: SourcePosition, since count: Int, isInherited: (SourcePosition) -> Bool) {
    let found = diagnostics[count...]
    diagnostics.removeSubrange(count...)
    for var finding in found {
      if isInherited(finding.position) {
        let isNew = inheritedFindings.insert(Finding(position: finding.position, message: finding.message)).inserted
        if !isNew {
          note(-1, finding.severity)
          continue
        }
        finding.message += " (the route on \(place(of: heir, from: finding.position)) inherits this)"
      }
      diagnostics.append(finding)
    }
  }
}

// MARK: Variables and secrets

extension Reading {
  /// The text with `${NAME}` and `${NAME:-default}` filled in and `$${` as `${`. Nil after an error was reported.
  func substituteVariables(in text: String, at position: SourcePosition) -> (text: String, isSubstituted: Bool)? {
    guard text.contains("$") else { return (text, false) }
    var result = ""
    var values: [(value: String, name: String)] = []
    var isSubstituted = false
    var rest = Substring(text)
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[dollar...]
      if rest.hasPrefix("$${") {
        result += "${"
        rest = rest.dropFirst(3)
      } else if rest.hasPrefix("${") {
        guard let end = rest.firstIndex(of: "}") else {
          errorInValue(position, "'${' without '}': write ${NAME}, or $${ for the two characters themselves")
          return nil
        }
        let name = rest[rest.index(rest.startIndex, offsetBy: 2)..<end]
        guard let value = variable(name, at: position, into: &values) else { return nil }
        result += value
        isSubstituted = true
        rest = rest[rest.index(after: end)...]
      } else {
        result += "$"
        rest = rest.dropFirst()
      }
    }
    redaction.note(values, in: text, at: position)
    return (result + rest, isSubstituted)
  }

  /// - Parameter values: what comes from the environment is added here.
  private func variable(
    _ text: Substring, at position: SourcePosition, into values: inout [(value: String, name: String)]
  ) -> String? {
    let parts = text.split(separator: ":-", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    let isName =
      name.utf8.first.map { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
      && name.utf8.allSatisfy { $0.isAlphanumeric || $0 == UInt8(ascii: "_") }
    guard isName else {
      errorInValue(position, "\(name.quoted) is not a valid variable name: write ${NAME} or ${NAME:-default}")
      return nil
    }
    if let value = environment[name], !(value.isEmpty && parts.count == 2) {
      values.append((value, "${\(name)}"))
      return value
    }
    if parts.count == 2 { return String(parts[1]) }
    lack(position, "the environment has no variable \(name): set it, or write ${\(name):-default}")
    return nil
  }

  /// The text itself, or for `file:/path` what that file holds without its last line break. nil after an error.
  func secret(_ text: String, at position: SourcePosition, isEmptyAllowed: Bool = false) -> String? {
    guard text.hasPrefix("file:") else { return text }
    let path = String(text.dropFirst("file:".count))
    if path.isEmpty {
      error(position, "'file:' without a path: write file:/path/of/the/secret")
      return nil
    }
    guard var bytes = contents(of: path, at: position) else { return nil }
    if bytes.last == 0x0A { bytes.removeLast() }
    if bytes.last == 0x0D { bytes.removeLast() }
    guard let secret = String(validating: bytes, as: UTF8.self) else {
      error(position, "the file \(path.quoted) is not UTF-8 text")
      return nil
    }
    if secret.isEmpty, !isEmptyAllowed {
      error(position, "the file \(path.quoted) is empty: write the value into it")
      return nil
    }
    redaction.note([(secret, text)], in: text, at: position)
    return secret
  }

  /// A file named in the configuration. Nil after an error was reported.
  func contents(of path: String, at position: SourcePosition) -> [UInt8]? {
    contents(ofResolved: resolve(path: path, at: position), at: position)
  }

  /// The files that match. Nil after an error was reported.
  func paths(matching pattern: FilePattern, at position: SourcePosition) -> [String]? {
    sources.matches[pattern] = []
    do {
      let paths = pattern.paths(among: try listFolder(pattern.listedFolder))
      sources.matches[pattern] = paths
      return paths
    } catch {
      errorInValue(position, "the folder \(pattern.folder.quoted) cannot be read: \(error)")
      return nil
    }
  }

  /// - Parameters:
  ///   - isOfMachine: whether a machine that the file is not for may be without it.
  ///   - isWatched: whether a change of the file is one of the configuration.
  func contents(
    ofResolved path: String, at position: SourcePosition, isOfMachine: Bool = true, isWatched: Bool = true,
    byteCountMax: Int = 4 * 1024 * 1024
  ) -> [UInt8]? {
    do {
      // Before it is read: what changes meanwhile is then seen as changed.
      if isWatched, sources.files[path] == nil { sources.files[path] = signature(path) }
      let bytes = try readFile(path)
      // LIMIT: what is read whole while checking.
      if bytes.count > byteCountMax {
        error(position, "the file \(path.quoted) is larger than \(byteCountMax / 1024 / 1024) MiB")
        return nil
      }
      return bytes
    } catch {
      let message = "the file \(path.quoted) cannot be read: \(error)"
      if isOfMachine { lack(position, message) } else { errorInValue(position, message) }
      return nil
    }
  }
}

extension UInt8 {
  var isAlphanumeric: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
  }
}
