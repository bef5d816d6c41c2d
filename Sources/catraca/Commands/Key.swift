// `catraca key`: API keys for `api_keys` of the file. A key is written to standard output once, and read from standard
// input, so that it is in no list of processes. Exit 0 when it was done, 1 when it could not be or the key is none.

import ArgumentParser
import Configuration
import Cryptography
import JSON
import Tokens

struct APIKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key", abstract: "Make and check API keys.", subcommands: [New.self, Hash.self, Check.self])

  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "new", abstract: "Make a key, and the entry for the file that lets it in.")

    @Option(help: "Whose the key is.")
    var id: String
    @Option(name: .customLong("scope"), help: "A scope of the caller. May be given more than once.")
    var scopes: [String] = []
    @Option(help: "The day at whose beginning the key is over, such as 2027-01-31.")
    var expires: String?
    @Option(help: ArgumentHelp("Write the command for Redis, for this set of the file.", valueName: "set"))
    var redis: String?
    @Option(help: "The prefix of that store.")
    var prefix = "catraca:"

    func run() throws {
      try reporting {
        let key = try KeyText.random()
        let place = try redis.map { ("Redis", try command(of: key, set: $0)) } ?? ("the file", "- \(entry(of: key))")
        try writeOutput(
          """
          # For the client. It is not shown again.
          \(key)
          # For \(place.0).
          \(place.1)

          """)
      }
    }

    /// As redis-cli takes it. The key goes away there when it is over.
    private func command(of key: String, set: String) throws -> String {
      var members = ["\"id\":\(Self.quoted(id))"]
      if !scopes.isEmpty { members.append("\"scopes\":[\(scopes.map(Self.quoted).joined(separator: ","))]") }
      var ending = ""
      if let expires {
        guard let end = ConfigurationReader.unixSeconds(expires) else {
          throw TokenError("'\(expires)' is not a day such as 2027-01-31, nor a moment such as 2027-01-31T12:00:00Z")
        }
        members.append("\"expires\":\(end)")
        ending = " EXAT \(end)"
      }
      if let scope = scopes.first(where: { !ScopeToken.isValid($0.utf8.span) }) {
        throw TokenError("'\(scope)' is not a scope (RFC 6749 §3.3)")
      }
      let name = APIKeyStoreKey.of(SHA256.digest(Array(key.utf8).span), set: set, prefix: Array(prefix.utf8))
      // An apostrophe would end the quotes.
      let text = "{\(members.joined(separator: ","))}".replacing("'", with: "\\u0027")
      return "SET \(String(decoding: name, as: UTF8.self)) '\(text)'\(ending)"
    }

    private func entry(of key: String) -> String {
      var members = ["id: \(Self.quoted(id))", "hash: \"\(KeyText.hash(of: key))\""]
      if !scopes.isEmpty { members.append("scopes: [\(scopes.map(Self.quoted).joined(separator: ", "))]") }
      if let expires { members.append("expires: \(Self.quoted(expires))") }
      return "{ \(members.joined(separator: ", ")) }"
    }

    private static func quoted(_ text: String) -> String { JSONWriter.quoted(text) }
  }

  struct Hash: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "hash", abstract: "Print the hash of a key, which is read from standard input.")

    func run() throws { try reporting { try writeOutput(KeyText.hash(of: try KeyText.read()) + "\n") } }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Say whether a key, which is read from standard input, is whole and known.")

    @Argument(help: "A file of API keys.", completion: .file())
    var file: String?

    func run() throws {
      try reporting {
        let key = try KeyText.read()
        if !KeyText.isWhole(key) {
          throw TokenError("the key is not one that 'catraca key new' has made, or it was mistyped or cut")
        }
        guard let file else { return try writeOutput("the key is whole\n") }
        let table: APIKeyTable
        switch ConfigurationReader.apiKeys(inFileAt: file) {
        case .success(let read): table = read
        case .failure(let errors): throw TokenError(errors.description)
        }
        guard let id = table.id(ofKey: Array(key.utf8)) else { throw TokenError("\(file) does not have the key") }
        try writeOutput("the key is whole, and that of \(id)\n")
      }
    }
  }
}

/// What a key looks like: a prefix by which scanners of secrets know it, 256 random bits, and a checksum against typing
/// errors, both in base64url.
private enum KeyText {
  static let prefix = "ck_"
  private static let checksumCount = 6

  static func random() throws -> String {
    guard let random = RandomText.make() else { throw TokenError("OpenSSL has no random bytes") }
    let text = prefix + random
    return text + checksum(of: text)
  }

  private static func checksum(of text: String) -> String {
    let digest = SHA256.digest(Array(text.utf8).span)
    return String(String(decoding: Base64URL.encode(digest.span), as: UTF8.self).prefix(checksumCount))
  }

  static func isWhole(_ key: String) -> Bool {
    key.hasPrefix(prefix) && key.utf8.count == prefix.utf8.count + 43 + checksumCount
      && checksum(of: String(key.dropLast(checksumCount))) == key.suffix(checksumCount)
  }

  static func hash(of key: String) -> String {
    "sha256:" + String(decoding: Base64URL.encode(SHA256.digest(Array(key.utf8).span).span), as: UTF8.self)
  }

  /// One line of standard input.
  static func read() throws -> String {
    guard let line = readLine(), !line.isEmpty else {
      throw TokenError("standard input has no key: write catraca key check < file")
    }
    if line.utf8.count > APIKeyCheck.byteCountMax {
      throw TokenError("a key has at most \(APIKeyCheck.byteCountMax) bytes")
    }
    return line
  }
}
