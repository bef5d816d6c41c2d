// Keys of programs: where requests have them, and their digests.

package import Tokens

/// One of `api_keys:`.
package struct APIKeySet: Sendable, Equatable {
  /// The name in the file, and in routes.
  package var name: String
  /// Where requests have a key: headers, query parameters, and Basic credentials.
  package var places: [TokenSource] = [.value(.header("x-api-key"))]
  package var keys = APIKeyTable()
  /// Nil where the keys are in the configuration itself, or in a store.
  package var file: File?
  /// An index into ``GatewayConfiguration/stores``.
  package var store: Int?
  /// How long what a store said serves further requests.
  package var cache = Duration.seconds(30)

  package struct File: Sendable, Equatable {
    /// Already resolved.
    package var path: String
    /// As it was before it was read.
    package var signature: FileSignature
  }

  package init(name: String) { self.name = name }
}

/// One entry of a set, as it is read. The table keeps what of it counts.
struct APIKeyEntry: Sendable {
  var id = ""
  var digest: [UInt8] = []
  /// Members of a JSON object, each with its name.
  var claims: [TestToken.Claim] = []
  var scopes: [String] = []
  /// The first second in which the key is over.
  var expiresAt = Int64.max
}

extension APIKeySet {
  static let settings = Settings<APIKeySet>(
    "api_keys{}", title: "a set of API keys", example: "{ file: keys.yaml }", blank: APIKeySet(name: ""),
    finish: { set, section in section.reading.check(set, section) },
    [
      Setting(
        "file", .apiKeyFile,
        "A file with the entries, as a YAML list. It is looked at every two seconds, and its keys count when it has "
          + "changed and is good.", otherwise: "`keys` or `redis`",
        store: { set, read in (set.file, set.keys) = (read.file, read.keys) }),
      Setting(
        "keys", .apiKeyEntries, "The entries themselves, in place of `file`.", otherwise: "`file` or `redis`",
        store: { set, keys in set.keys = keys }),
      Setting(
        "redis", .storeName,
        "A name of `redis`, in place of `file`: the entries are there, for all gateways that have it, and a change counts "
          + "at once.", otherwise: "`file` or `keys`",
        store: { set, store in set.store = store }),
      Setting(
        "cache", \.cache, .wholeSeconds(from: .zero, to: .minutes(5)),
        "How long a worker remembers what Redis said of a key. What Redis reports as changed is forgotten at once."),
      Setting(
        "from", \.places, .apiKeyPlaces,
        "Where requests have the key: `header:NAME`, `query:NAME`, or `basic`, which is the key's id as the name and the "
          + "key as the password of `Authorization: Basic`."),
    ])
}

extension APIKeyEntry {
  static let settings = Settings<APIKeyEntry>(
    "api_keys{}.keys[]", title: "an API key", example: "{ id: acme, hash: \"sha256:…\", scopes: [orders.read] }",
    blank: APIKeyEntry(),
    [
      Setting(
        "id", \.id, .line(), "Whose the key is. Two entries may have the same one, as while a key is replaced.",
        required: "write id: NAME"),
      Setting(
        "hash", \.digest, .apiKeyHash, "The digest of the key, as `catraca key new` or `catraca key hash` prints it.",
        required: "write hash: \"sha256:…\", as 'catraca key new' prints it"),
      Setting(
        "claims", \.claims, .apiKeyClaims, "What is known of the caller, as a token would say it.",
        otherwise: "`sub`, which is the id"),
      Setting(
        "scopes", \.scopes, .names("list", item: "a scope", isEmptyAllowed: true, check: scopeProblem),
        "The scopes of the caller."),
      Setting(
        "expires", .apiKeyEnd,
        "A day such as `2027-01-31`, at whose beginning in UTC the key is over, or a moment such "
          + "as `2027-01-31T12:00:00Z`.", otherwise: "never",
        store: { entry, end in entry.expiresAt = end }),
    ])
}

extension APIKeyEntry {
  /// All of them are in one claim, with a space between.
  private static func scopeProblem(_ name: String) -> String? {
    if ScopeToken.isValid(name.utf8.span) { return nil }
    return "\(name.quoted) is not a scope: write visible characters of ASCII but \" and \\, and each scope as an item "
      + "(RFC 6749 §3.3)"
  }
}
