// The lists of revoked tokens of a file's issuers at this moment, for a command that runs no gateway.

package import Configuration
internal import JSON
internal import Logging
package import Tokens

package enum CurrentRevocations {
  /// Loads the lists as a gateway does. Of status lists, the one that the token names.
  /// - Parameters:
  ///   - keySets: by issuer.
  ///   - token: nil where lists are of no use.
  /// - Returns: the lists by issuer, and what the reader of an explanation has to know of them.
  package static func load(
    _ configuration: GatewayConfiguration, keySets: [KeySet?], token: String?, _ fetcher: DocumentFetcher
  ) async -> (lists: [Revocations?], notes: [String]) {
    let keys = Dictionary(
      zip(configuration.issuers.map(\.name), keySets).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
    let registry = RevocationRegistry(
      environment: .live(fetcher, keys: keys), log: Logger(label: "", factory: { _ in SwiftLogNoOpLogHandler() }),
      publish: { _, _ in })
    var lists = await registry.apply(configuration)
    guard let token else { return (lists, []) }
    await registry.lookFirst(within: .seconds(10))
    if let (issuer, uri) = reference(in: token, configuration) {
      _ = await registry.answer(to: Question(.statusList(issuer: issuer), generation: 1), about: uri)
    }
    lists = await registry.snapshot()
    var notes = await registry.status().flatMap { status in
      status.lists.compactMap { lists in
        lists.lastError.map { "the \(lists.kind) of issuer '\(status.issuer)' is not available: \($0)" }
      }
    }
    for (index, issuer) in configuration.issuers.enumerated() {
      guard case .redis = issuer.revocation?.denylist, let known = lists[index] else { continue }
      lists[index] = Revocations(known.rules, denylist: Denylist(), statusLists: known.statusLists)
      notes.removeAll { $0.hasPrefix("the denylist of issuer '\(issuer.name)'") }
      notes.append("the denylist of issuer '\(issuer.name)' is in Redis, which is not asked here")
    }
    return (lists, notes)
  }

  /// The status list that a token names. Its signature is not looked at here.
  private static func reference(in token: String, _ configuration: GatewayConfiguration) -> (Int, uri: [UInt8])? {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, let payload = Base64URL.decode(Array(parts[1].utf8).span),
      let claims = try? JSONDocument(payload), let reference = (try? StatusReference(claims)) ?? nil,
      let name = claims.member("iss", of: claims.root).flatMap({ claims.string(at: $0) }),
      let issuer = configuration.issuers.firstIndex(where: { issuer in
        issuer.policy.issuers.contains(name) && issuer.revocation.map { $0.statusList != .off } ?? false
      })
    else { return nil }
    return (issuer, reference.uri)
  }
}
