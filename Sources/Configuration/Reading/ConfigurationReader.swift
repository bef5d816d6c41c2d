// The entry point: from the text of a file to the checked model, or to every error with its position. Nothing else
// makes a GatewayConfiguration that the gateway would run.

import Glibc

/// Reads `gateway.conf`.
package enum ConfigurationReader {
  /// A file that passed.
  package struct Loaded: Sendable, Equatable {
    package var configuration: GatewayConfiguration
    /// Sorted by position.
    package var warnings: [Diagnostic]
    /// Files of TLS that the configuration names, in the order of reading.
    package var certificates: [CertificateReference]
    package var sources: ConfigurationSources
    /// As messages name them, by their index in positions.
    package var files: [String]
  }

  /// The model of one text. Collects all errors. Reads only the files that the text names, through `readFile`.
  /// - Parameters:
  ///   - file: The name that messages begin with.
  ///   - folder: Where relative paths begin.
  ///   - path: The path of the text, where it is that of a file.
  ///   - environment: For `${NAME}`.
  ///   - kindOfPath: What is at a path that the gateway writes to.
  ///   - checkCertificates: Called once for each reference to files of TLS, which are not read here.
  ///   - isComplete: Whether files and variables must be there. Without them, the result is good for its findings only.
  package static func read(
    text: String, file: String, folder: String, path: String? = nil, environment: [String: String],
    readFile: @escaping (String) throws -> [UInt8],
    listFolder: @escaping (String) throws -> [String] = { _ in throw FileReadError(description: "there are none") },
    signature: @escaping (String) -> FileSignature = { _ in .missing },
    kindOfPath: @escaping (String) -> PathKind? = { _ in nil },
    checkCertificates: @escaping (CertificateReference) -> [CertificateFinding] = { _ in [] }, isComplete: Bool = true
  ) -> Result<Loaded, ConfigurationErrors> {
    let reading = Reading(
      file: file, folder: folder, environment: environment, readFile: readFile, listFolder: listFolder,
      signature: signature, kindOfPath: kindOfPath, checkCertificates: checkCertificates, isComplete: isComplete)
    var configuration: GatewayConfiguration?
    if let root = Inclusion.tree(of: text, path: path, reading: reading) { configuration = reading.gateway(root) }
    var seen: Set<Diagnostic> = []
    let sorted = reading.diagnostics.enumerated()
      .sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
      .map(\.element)
      .filter { seen.insert($0).inserted }
    let sources = reading.sources
    guard let configuration, reading.errorCount == 0 else {
      return .failure(ConfigurationErrors(diagnostics: sorted, sources: sources))
    }
    return .success(
      Loaded(
        configuration: configuration, warnings: sorted, certificates: reading.certificates, sources: sources,
        files: reading.files.map(\.name)))
  }

  /// The model of the file at `path`. Messages name it as it is given here, or by `name`. Relative paths begin in its
  /// folder.
  package static func load(
    path: String, shownAs name: String? = nil, environment: [String: String],
    checkCertificates: @escaping (CertificateReference) -> [CertificateFinding], isComplete: Bool = true
  ) -> Result<Loaded, ConfigurationErrors> {
    let file = name ?? path
    // Before it is read: what changes meanwhile is then seen as changed.
    let signature = FileSignature(ofFileAt: path)
    var sources = ConfigurationSources()
    sources.files[path] = signature
    let bytes: [UInt8]
    do {
      bytes = try readWholeFile(path)
    } catch {
      return .failure(single("cannot be read: \(error)", file, sources))
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return .failure(single("the file is not UTF-8 text", file, sources, at: firstInvalidPosition(bytes)))
    }
    // What has another name is no file of a folder.
    let isFile = file == path
    let result = read(
      text: text, file: file, folder: isFile ? FilePattern.cut(path).folder : "", path: isFile ? path : nil,
      environment: environment, readFile: readWholeFile, listFolder: namesInFolder,
      signature: FileSignature.init(ofFileAt:), kindOfPath: PathKind.init(ofPath:),
      checkCertificates: checkCertificates, isComplete: isComplete)
    switch result {
    case .success(var loaded):
      loaded.sources.files[path] = signature
      return .success(loaded)
    case .failure(var errors):
      errors.sources.files[path] = signature
      return .failure(errors)
    }
  }

  private static func single(
    _ message: String, _ file: String, _ sources: ConfigurationSources, at position: SourcePosition = .start
  ) -> ConfigurationErrors {
    ConfigurationErrors(
      diagnostics: [Diagnostic(.error, file: file, position: position, message: message)], sources: sources)
  }

  /// Where text ends that is UTF-8.
  static func firstInvalidPosition(_ bytes: [UInt8]) -> SourcePosition {
    var position = SourcePosition.start
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      if scalar == "\n" {
        position = SourcePosition(line: position.line + 1, column: 1)
      } else {
        position.column += 1
      }
    }
    return position
  }
}

/// Why a file could not be read, in the system's words.
package struct FileReadError: Error, CustomStringConvertible {
  package var description: String
}

/// A file's bytes, at most 64 MiB of them.
package func readWholeFile(_ path: String) throws -> [UInt8] {
  // Not blocking, so that a named pipe in the file's place cannot hold a reload up.
  // SAFETY: the descriptor is closed on every way out. Each read is given the buffer's own size.
  let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { throw FileReadError(description: errorText(errno)) }
  defer { close(descriptor) }
  if isOwnDescriptor(path) {
    // What the command was given is read to its end.
    guard fcntl(descriptor, F_SETFL, 0) == 0 else { throw FileReadError(description: errorText(errno)) }
  } else if isPipe(descriptor) {
    throw FileReadError(description: "it is a named pipe, not a file")
  }
  var result: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 64 * 1024)
  // LIMIT: no file of a configuration is larger. A device or a pipe that never ends would be.
  while result.count <= 64 * 1024 * 1024 {
    // SAFETY: the buffer is valid for the call and as long as it says.
    let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    if count == 0 { return result }
    if count < 0 {
      if errno == EINTR { continue }
      throw FileReadError(description: errorText(errno))
    }
    result += chunk[0..<count]
  }
  throw FileReadError(description: "larger than 64 MiB")
}

/// Whether the path leads to what the process was started with: its standard input, or a shell's `<(command)`.
private func isOwnDescriptor(_ path: String) -> Bool {
  path == "/dev/stdin" || path.hasPrefix("/dev/fd/") || path.hasPrefix("/proc/self/fd/")
}

private func isPipe(_ descriptor: Int32) -> Bool {
  var status = stat()
  // SAFETY: the call fills `status`.
  return unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
}

/// The names in a folder, in no order.
package func namesInFolder(_ path: String) throws -> [String] {
  // SAFETY: the stream is closed on every way out. A name ends with a zero (POSIX) and is copied at once.
  guard let stream = unsafe opendir(path) else { throw FileReadError(description: errorText(errno)) }
  defer { unsafe closedir(stream) }
  var names: [String] = []
  errno = 0
  // LIMIT: each is compared with a pattern.
  while names.count <= 100_000 {
    // SAFETY: as above.
    guard let entry = unsafe readdir(stream) else {
      if errno == 0 { return names }
      throw FileReadError(description: errorText(errno))
    }
    let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != ".", name != ".." { names.append(name) }
  }
  throw FileReadError(description: "more than 100000 files")
}

private func errorText(_ code: Int32) -> String {
  // SAFETY: strerror answers a C string for every number. It is copied at once.
  unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
}
