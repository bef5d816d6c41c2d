// `catraca token`: keys, key sets and tokens for tests, and a look into a token. Exit 0 when it was done, 1 when it
// could not be or a signature is not valid, 64 for a command line that cannot be understood.

import ArgumentParser
import Configuration
import Cryptography
import FoundationEssentials
import JSON
import Tokens

struct Token: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make and inspect keys, key sets and tokens for tests.",
    subcommands: [Key.self, PublicKeys.self, Mint.self, Inspect.self])

  struct Key: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "key", abstract: "Make a private key in PEM (for HS256, HS384 and HS512 a secret as a JWK).")

    @Option(help: "The algorithm that the key signs with.")
    var algorithm: SignatureAlgorithm = .es256
    @Option(help: "A new file, readable by its owner only. Default: standard output.")
    var out: String?

    func run() throws {
      try reporting {
        let text = try KeyFile.generate(for: algorithm).text
        if let out { try KeyFile.write(text, to: out) } else { try writeOutput(text) }
      }
    }
  }

  struct PublicKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "keyset", abstract: "Show the public key set (JWKS) of private keys.")

    @Argument(help: "Private keys in PEM.")
    var keys: [String]

    func run() throws {
      try reporting {
        let entries = try keys.map { path in
          let file = try KeyFile.read(path)
          if file.isSecret {
            throw TokenError(
              "\(path) is a secret, which a key set would reveal: write `jwks: { keys: [{ kty: oct, k: \"file:…\" }] }` "
                + "into gateway.conf, with the value of `k` in the file")
          }
          // RSA keys leave the choice between RS and PS to the token.
          let algorithm = file.algorithm == .rs256 ? nil : file.algorithm
          return (id: file.keyID as String?, key: file.key.publicKey, algorithm: algorithm)
        }
        try writeOutput(String(decoding: KeySetWriter.encode(entries), as: UTF8.self) + "\n")
      }
    }
  }

  struct Mint: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "mint", abstract: "Sign a token.")

    @Option(help: "The private key's file (PEM, or the JWK of a secret).")
    var key: String
    @Option(help: "Default: what the key is for (RSA: RS256).")
    var algorithm: SignatureAlgorithm?
    @Option(help: "The key's id. Default: its thumbprint, as `token keyset` writes it. An empty id is left out.")
    var kid: String?
    @Option(help: "`iss`.")
    var issuer: String?
    @Option(help: "`aud`. May be repeated.")
    var audience: [String] = []
    @Option(help: "`sub`.")
    var subject: String?
    @Option(parsing: .unconditional, help: "From now on: 30s, 5m, 24h, 7d, -1h for an expired token, or never.")
    var expiresIn = "5m"
    @Option(help: "Another claim, name=json. May be repeated, and replaces a claim of the same name.")
    var claim: [String] = []
    @Option(help: "`typ` of the header, such as at+jwt.")
    var type: String?

    func run() throws {
      try reporting {
        let file = try KeyFile.read(key)
        let algorithm = algorithm ?? file.algorithm
        var header: [String] = []
        let keyID = kid ?? file.keyID
        if !keyID.isEmpty { header.append("\"kid\":\(JSONWriter.quoted(keyID))") }
        if let type { header.append("\"typ\":\(JSONWriter.quoted(type))") }
        let payload = try claims(now: Int64(Date().timeIntervalSince1970))
        guard
          let token = encodeCompact(
            algorithm: algorithm, header: header.joined(separator: ","), payload: payload.json, key: file.key)
        else {
          throw TokenError("\(key) cannot sign \(algorithm.rawValue): it is a key for \(file.algorithm.rawValue)")
        }
        try writeOutput(String(decoding: token, as: UTF8.self) + "\n")
      }
    }

    private func claims(now: Int64) throws -> TokenClaims {
      var claims = TokenClaims()
      if let issuer { claims.set("iss", text: issuer) }
      if let subject { claims.set("sub", text: subject) }
      let audiences = audience.map(JSONWriter.quoted)
      if let only = audiences.first {
        claims.set("aud", json: audiences.count == 1 ? only : "[\(audiences.joined(separator: ","))]")
      }
      claims.set("iat", json: "\(now)")
      if expiresIn != "never" { claims.set("exp", json: "\(now + (try SignedSeconds(expiresIn)).seconds)") }
      for argument in claim { try claims.set(argument: argument) }
      return claims
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect", abstract: "Show what a token contains. With --keys, check its signature.")

    @Argument(help: "The token. - reads it from standard input.")
    var token = "-"
    @Option(help: "A key set (JWKS) in a file.")
    var keys: String?

    func run() throws {
      try reporting {
        let inspection = try TokenInspection(token == "-" ? try readInput() : token)
        let verdict = try keys.map { inspection.verdict(keys: try readKeys($0)) } ?? .notChecked
        try writeOutput(inspection.report(verdict, now: Int64(Date().timeIntervalSince1970)) + "\n")
        if case .bad = verdict { throw ExitCode(1) }
      }
    }

    private func readInput() throws -> String {
      // LIMIT: anything longer is not a token.
      String(decoding: try readStandardInput(byteCountMax: 1 << 20), as: UTF8.self)
    }

    private func readKeys(_ path: String) throws -> KeySet {
      let bytes: [UInt8]
      do {
        bytes = try readWholeFile(path)
      } catch {
        throw TokenError("\(path) cannot be read: \(error)")
      }
      do throws(KeySetError) {
        return try KeySet.parse(bytes.span, algorithms: Set(SignatureAlgorithm.allCases))
      } catch {
        throw TokenError("\(path) is not a usable key set: \(words(error))")
      }
    }

    private func words(_ error: KeySetError) -> String {
      switch error {
      case .tooLarge: "it is over 1 MiB"
      case .tooManyKeys: "it has over 1,000 keys"
      case .notJSON: "it is not JSON"
      case .notKeySet: "it has no list `keys`"
      case .noUsableKey(let dropped):
        dropped.isEmpty
          ? "it has no keys"
          : dropped.map { "the key \($0.keyID ?? "without kid") \($0.reason.rawValue)" }.joined(separator: ", ")
      }
    }
  }
}

extension SignatureAlgorithm: ExpressibleByArgument {}

/// Runs a command's body. An error becomes one line on standard error and exit code 1.
func reporting(_ body: () throws -> Void) throws {
  do {
    try body()
  } catch let error as ExitCode {
    throw error
  } catch {
    printError("catraca: \(error)")
    throw ExitCode(1)
  }
}
