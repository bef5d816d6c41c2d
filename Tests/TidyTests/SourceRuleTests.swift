// Rules about the source that no compiler knows. Each failure names its place and what to do instead.

import Foundation
import Testing

@Suite("Rules of the source")
struct SourceRuleTests {
  private let sources: [SourceFile]
  private let tests: [SourceFile]
  private let drivers: [SourceFile]

  init() throws {
    sources = try Tree.sources.get()
    tests = try Tree.tests.get()
    drivers = try Tree.drivers.get()
  }

  /// Fails at each line whose code holds one of the words.
  private func refuse(
    _ words: String..., in files: [SourceFile], instead: String, where isConcerned: (SourceFile) -> Bool = { _ in true }
  ) {
    for file in files where isConcerned(file) {
      for line in file.lines(withWords: words) { Issue.record("\(line): \(instead)") }
    }
  }

  @Test(
    "Nothing ends the process on purpose: words that trap are not used",
    arguments: [
      ("try!", "a failure here would end the process: catch it, or let it be thrown on"),
      ("as!", "a wrong type here would end the process: use as? and say what happens otherwise"),
      ("fatalError", "a peer might reach this: close the connection or throw, and count it"),
      ("preconditionFailure", "a peer might reach this: close the connection or throw, and count it"),
    ])
  func trapWords(_ word: String, _ instead: String) { refuse(word, in: sources, instead: instead) }

  @Test("Only the command line prints")
  func prints() {
    refuse("print(", in: sources, instead: "write to the log, or return the text") { $0.target != "catraca" }
  }

  @Test("Of Foundation only its essentials are imported, and only where no request passes")
  func foundation() {
    let allowed: Set = ["ControlPlane", "Documents", "catraca"]
    for file in sources {
      for line in file.lines {
        let words = line.code.split(separator: " ")
        guard words.contains("import"), let module = words.last, module.hasPrefix("Foundation") else { continue }
        if module != "FoundationEssentials" {
          Issue.record("\(line): import FoundationEssentials: the whole of Foundation adds 45 MB to the binary")
        } else if !allowed.contains(file.target) {
          Issue.record("\(line): this target works on bytes: do without Foundation")
        }
      }
    }
  }

  @Test("Decisions are made without NIO: the targets below the transport do not import it")
  func sansIO() {
    let targets: Set = [
      "Bytes", "HTTPWire", "JSON", "Cryptography", "TLS", "HTTP2", "Compression", "Redis", "Tokens", "Configuration",
      "Proxy",
    ]
    refuse(
      "import NIOCore", "import NIOPosix", "import NIOHTTP1", "import NIOConcurrencyHelpers", "import Dispatch",
      in: sources, instead: "take bytes and events, give bytes and commands back"
    ) { targets.contains($0.target) }
  }

  /// Where `unsafe` may be: the wrappers of C, the bytes' one owner, and files that call the system.
  private static let unsafeTargets: Set = ["Bytes", "Cryptography", "TLS", "HTTP2", "Compression"]
  private static let unsafeFiles: Set = [
    "Sources/Configuration/Reading/ConfigurationReader.swift",
    "Sources/Configuration/Reading/FileSignature.swift",
    "Sources/Configuration/Reading/PathKind.swift",
    "Sources/Configuration/Reading/YAMLParser.swift",
    "Sources/ControlPlane/Watching/FolderWatch.swift",
    "Sources/ControlPlane/AccessLog/LineWriter.swift",
    "Sources/ControlPlane/AccessLog/LogWriter.swift",
    "Sources/ControlPlane/KeySets/SystemFiles.swift",
    "Sources/Transport/Accept/SocketFile.swift",
    "Sources/Transport/Succession/ReadinessPipe.swift",
    "Sources/Transport/System/Bell.swift",
    "Sources/Transport/System/ChildProcess.swift",
    "Sources/Transport/System/Clock.swift",
    "Sources/Transport/System/Datagram.swift",
    "Sources/Transport/System/Descriptor+Inheriting.swift",
    "Sources/Transport/System/Descriptor+Opening.swift",
    "Sources/Transport/System/Descriptor.swift",
    "Sources/Transport/System/Pipe.swift",
    "Sources/Transport/System/Poller.swift",
    "Sources/Transport/System/SocketAddress.swift",
    "Sources/Transport/System/SystemError.swift",
    "Sources/Transport/System/WorkerThread.swift",
    "Sources/catraca/Commands/Output.swift",
    "Sources/catraca/Commands/Run.swift",
    "Sources/catraca/Commands/Version.swift",
    "Sources/catraca/Token/KeyFile.swift",
  ]

  @Test("unsafe is in its own rooms only")
  func unsafeRooms() {
    refuse(
      "unsafe", "@unchecked", "@_silgen_name", in: sources,
      instead: "use Span and the types of Bytes; if there is no other way, name the file in unsafeFiles and say why"
    ) { !Self.unsafeTargets.contains($0.target) && !Self.unsafeFiles.contains($0.path) }
    for path in Self.unsafeFiles { #expect(Tree.exists(path), "\(path) is gone: take it out of unsafeFiles") }
  }

  @Test("Each unsafe has its reason above it")
  func unsafeReasons() throws {
    for file in sources {
      let uses = file.lines(withWords: ["unsafe"])
      guard let first = uses.first else { continue }
      if Self.unsafeTargets.contains(file.target) {
        // In the wrappers a type's owner is explained once, for all of its functions.
        #expect(file.text.contains("SAFETY"), "\(first): say in a line `// SAFETY: …` what makes it hold")
        continue
      }
      for use in uses {
        let above = file.lines[..<use.number].suffix(24)
        #expect(
          above.contains { $0.text.contains("// SAFETY:") },
          "\(use): say in a line `// SAFETY: …` above it what makes it hold, and who keeps it")
      }
    }
  }

  @Test("Files stay under 400 lines")
  func fileLength() {
    for file in sources + tests + drivers where file.lines.count > 401 {
      Issue.record("\(file.path):401: \(file.lines.count - 1) lines; move a topic into Type+Topic.swift")
    }
  }

  @Test("Each file begins with what it is for")
  func openings() {
    for file in sources + drivers where !(file.lines.first?.text.hasPrefix("//") ?? false) {
      // The manifest's first line belongs to the package manager.
      Issue.record("\(file.path):1: open with one to five lines of // that say what the file is for")
    }
  }

  @Test("Nothing is left for later")
  func leftovers() {
    for file in sources + tests + drivers where file.target != "TidyTests" {
      for line in file.lines where ["TODO", "FIXME", "HACK"].contains(where: line.text.contains) {
        Issue.record("\(line): do it now, or leave it out")
      }
    }
  }

  @Test("The reader of these rules sees code, and neither comments nor strings")
  func reader() {
    let file = SourceFile(
      path: "a.swift",
      text: ##"""
        let a = "try! \" //" + b // as!
        let c = #"fatalError \"# + d
        let e = """
          try! unsafe
          """ + f
        try! g()
        """##)
    #expect(
      file.lines.map(\.code) == [#"let a = "" + b "#, ##"let c = #""# + d"##, "let e = ", "", " + f", "try! g()"])
  }
}
