// `revocation:` of an issuer: which of its tokens count no more, although they have not ended.

package import Tokens

package struct Revocation: Sendable, Equatable {
  /// Where a denylist is.
  package enum Source: Sendable, Equatable {
    /// Already resolved.
    case file(String)
    case url(String)
    /// The stream of the issuer in the store with this index.
    case redis(Int)
  }

  /// Nil without one.
  package var denylist: Source?
  package var statusList = RevocationRules.StatusListUse.off
  /// Hosts that may have status lists, besides the issuer's own.
  package var statusListHosts: [String] = []
  /// How often a list at a URL is fetched.
  package var refresh = Duration.seconds(30)
  /// How long the last good lists count while no newer ones come.
  package var stale = Duration.seconds(24 * 3600)
  package var unavailable = RevocationRules.Unavailable.refuse

  package init() {}

  package var rules: RevocationRules {
    RevocationRules(hasDenylist: denylist != nil, statusList: statusList, unavailable: unavailable)
  }

  /// The key of an issuer's stream in a store.
  package static func streamKey(ofIssuer name: String, in store: RedisStore) -> [UInt8] {
    Array("\(store.prefix)revoked:\(name)".utf8)
  }
}

extension Revocation {
  static let settings = Settings<Revocation>(
    "issuers{}.revocation", title: "'revocation'", example: "revocation: { denylist: revoked.jsonl }",
    blank: Revocation(),
    finish: { revocation, section in section.reading.check(revocation, section) },
    [
      Setting(
        "denylist", \.denylist, .denylist,
        "A file, a URL, or `{ redis: NAME }` for a stream in that store. It has one JSON object a line, such as "
          + "`{\"jti\": \"…\"}`.", otherwise: "none"),
      Setting(
        "status_list", \.statusList, .statusListUse,
        "`true` looks up tokens that name a status list (Token Status List). `required` refuses those that name none."),
      Setting(
        "status_list_hosts", \.statusListHosts,
        .names("list", item: "a host", isEmptyAllowed: true) { name in
          name.contains("/") || name.contains(":") ? "\(name.quoted) is not a host: write status.example.com" : nil
        },
        "Hosts that may have the issuer's status lists, besides its own."),
      Setting(
        "refresh", \.refresh, .duration(from: .seconds(1), to: .days(1)),
        "How often a denylist at a URL is fetched, with its ETag, and a status list that has no `ttl`."),
      Setting(
        "stale", \.stale, .duration(from: .seconds(1), to: .days(30)),
        "How long the last good list counts while no newer one comes. A status list never counts past its `exp`."),
      Setting(
        "unavailable", \.unavailable, .choice,
        "What counts without a good list: `refuse` answers 503, `pass` lets all tokens pass that are good otherwise."),
    ])
}
