// `revocation:` of issuers, and what its keys require of each other.

import Tokens

extension Reading {
  func check(_ revocation: Revocation, _ section: Section) {
    if revocation.denylist == nil, revocation.statusList == .off, section.refused.isEmpty {
      error(section.position, "'revocation' has no list: write denylist: revoked.jsonl, or status_list: true")
    }
    if revocation.statusList == .off, section.has("status_list_hosts") {
      error(
        section.keyPosition("status_list_hosts"), "without 'status_list' no list is fetched: write it, or remove this")
    }
    if revocation.unavailable == .pass {
      warn(
        section.keyPosition("unavailable"),
        "while no list can be read, revoked tokens pass: write unavailable: refuse unless that is intended")
    }
    if case .url = revocation.denylist, revocation.stale < revocation.refresh {
      warn(
        section.keyPosition(section.has("stale") ? "stale" : "refresh"),
        "'stale' is shorter than 'refresh': one failed fetch takes the list away")
    }
  }

  /// What an issuer's revocation requires of its other keys.
  func checkRevocation(of issuer: Issuer, _ section: Section) {
    guard let revocation = issuer.revocation, let node = section["revocation"] else { return }
    if case .url(let text) = revocation.denylist, let position = node.entry("denylist")?.value.position {
      switch WebURL.parse(text) {
      case .failure(let problem): error(position, "'denylist': \(problem.message)")
      case .success(let url) where !url.isSecure && !url.isLoopback && !issuer.isInsecureAllowed:
        error(
          position,
          "a denylist over plain http from \(url.host.quoted) could be forged: write https://, "
            + "or insecure: true if the network is trusted")
      case .success: break
      }
    }
    if revocation.statusList != .off, revocation.statusListHosts.isEmpty,
      !issuer.policy.issuer.hasPrefix("https://"), !issuer.policy.issuer.hasPrefix("http://")
    {
      error(
        node.entry("status_list")?.value.position ?? node.position,
        "the issuer is not a URL, so nobody knows whose status lists may be fetched: write status_list_hosts: [HOST]")
    }
  }

  fileprivate func denylist(_ node: SourceNode, _ what: String) -> Revocation.Source? {
    if case .mapping(let entries) = node.content {
      guard entries.count == 1, entries[0].key == "redis" else {
        error(node.position, "\(what) must be a file, a URL, or a store: write { redis: NAME }")
        return nil
      }
      return storeReference(entries[0].value, "'redis'").map { .redis($0) }
    }
    guard let text = line(node, what) else { return nil }
    return text.contains("://") ? .url(text) : .file(resolve(path: text, at: node.position))
  }
}

// MARK: Values

extension ValueType where Value == Revocation.Source {
  static let denylist = ValueType(
    .any(
      of: [
        .text("file"),
        ValueForm(
          "`{ redis: NAME }`",
          [
            "type": "object", "required": ["redis"], "additionalProperties": false,
            "properties": ["redis": ["$ref": "#/$defs/text"]],
          ]),
      ], "file, URL, or `{ redis: NAME }`")
  ) { node, reading, what in reading.denylist(node, what) }
}

extension ValueType where Value == RevocationRules.StatusListUse {
  static let statusListUse = ValueType(
    .any(of: [.boolean, .keyword("required")], "true, false, or `required`"),
    write: { use in
      switch use {
      case .off: .boolean(false)
      case .used: .boolean(true)
      case .required: .text("required")
      }
    },
    read: { node, reading, what in
      if node.text == "required" { return .required }
      return reading.boolean(node, what).map { $0 ? .used : .off }
    })
}
