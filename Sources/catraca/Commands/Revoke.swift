// `catraca revoke`: one more entry for the denylist of an issuer, wherever the file says that it is.

import ArgumentParser
import Configuration
import ControlPlane
import FoundationEssentials
import Glibc
import JSON
import Tokens

struct Revoke: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Put an entry into the denylist of an issuer.",
    discussion: """
      A denylist that is a file is replaced as a whole. One in Redis gets the entry from the running gateway, by its \
      admin listener. It counts at once, also for what is open.
      """)

  @Option(help: "The token with this jti.")
  var jti: String?
  @Option(help: "All tokens of this sub.")
  var sub: String?
  @Option(help: "All tokens of this session at the issuer.")
  var sid: String?
  @Option(help: "All tokens that this key has signed.")
  var kid: String?
  @Option(help: "With --sub or alone: only tokens issued before this moment: 2027-01-31T12:00:00Z, seconds, or now.")
  var issuedBefore: String?
  @Option(help: "When the entry may be forgotten: the end of the token. A moment, or seconds since 1970.")
  var until: String?
  @Option(help: "Any text, which is kept with the entry.")
  var note: String?
  @Option(help: "The name of the issuer in the file. The one with a denylist, if there is one only.")
  var issuer: String?

  @OptionGroup var admin: AdminOptions

  func run() async throws {
    let entry = try entry()
    let (name, source) = try place()
    switch source {
    case .file(let path):
      do throws(FileError) {
        try DenylistFile.add(entry, toFileAt: path)
      } catch {
        throw Self.failed("\(path): \(error.reason)")
      }
      try writeOutputOrExit("revoked\n")
    case .redis:
      try writeOutputOrExit(try await admin.post("revoke?issuer=" + AdminOptions.encoded(name), body: entry))
    case .url(let url): throw Self.failed("the denylist of '\(name)' is at \(url): the entry has to be put there")
    }
  }

  /// As a line of a denylist has it.
  private func entry() throws -> String {
    var members: [String] = []
    for (name, value) in [("jti", jti), ("sub", sub), ("sid", sid), ("kid", kid), ("note", note)] {
      if let value { members.append("\"\(name)\":\(JSONWriter.quoted(value))") }
    }
    for (option, name, value) in [("--issued-before", "issued_before", issuedBefore), ("--until", "until", until)] {
      guard let value else { continue }
      guard let seconds = Self.seconds(value) else {
        throw Self.failed(
          "\(option) \(value): expected a moment such as 2027-01-31T12:00:00Z, seconds since 1970, or now")
      }
      members.append("\"\(name)\":\(seconds)")
    }
    let text = "{\(members.joined(separator: ","))}"
    do throws(DenylistFault) {
      guard try DenylistEntry.read(Array(text.utf8).span) != nil else { throw DenylistFault.selectorMissing }
    } catch {
      throw Self.failed("this revokes nothing: \(error.rawValue)")
    }
    return text
  }

  private static func seconds(_ text: String) -> Int64? {
    if text == "now" { return Int64(time(nil)) }
    return Int64(text) ?? ConfigurationReader.unixSeconds(text)
  }

  /// Whose denylist it is, and where.
  private func place() throws -> (name: String, Revocation.Source) {
    let result = ConfigurationReader.load(
      path: admin.file, environment: ProcessInfo.processInfo.environment, checkCertificates: CertificateCheck.findings,
      isComplete: false)
    guard case .success(let loaded) = result else {
      if case .failure(let errors) = result { printError(errors.description) }
      throw ExitCode(1)
    }
    let lists = loaded.configuration.issuers.compactMap { issuer in
      issuer.revocation?.denylist.map { (name: issuer.name, source: $0) }
    }
    let found = issuer.map { name in lists.filter { $0.name == name } } ?? lists
    if found.count == 1 { return found[0] }
    let names = lists.map(\.name).joined(separator: ", ")
    if lists.isEmpty { throw Self.failed("no issuer of \(admin.file) has a denylist") }
    throw Self.failed(
      issuer.map { "no issuer '\($0)' has a denylist: there are \(names)" }
        ?? "several issuers have a denylist: write --issuer with one of \(names)")
  }

  private static func failed(_ words: String) -> ExitCode {
    printError("catraca: \(words)")
    return ExitCode(1)
  }
}
