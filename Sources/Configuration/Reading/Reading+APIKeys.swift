// `api_keys:`, and the files that have the entries.

import Tokens

extension Reading {
  fileprivate func apiKeySets(_ node: SourceNode, _ what: String) -> [APIKeySet]? {
    guard let entries = entries(node, what, example: "partners: { file: keys.yaml }") else { return nil }
    // LIMIT: a key may be looked for in each of them.
    if entries.count > 16 { error(node.position, "\(what) has at most 16 sets") }
    names.apiKeys = NameList(entries.map(\.key))
    let sets = entries.map { entry -> APIKeySet in
      checkName(entry, "a set of API keys")
      var set = APIKeySet(name: entry.key)
      if let section = Section(entry.value, APIKeySet.settings.table, self) {
        APIKeySet.settings.take(section, into: &set)
      }
      return set
    }
    names.apiKeySets = sets
    return sets
  }

  /// What the keys of a set require of each other.
  func check(_ set: APIKeySet, _ section: Section) {
    let places = ["file", "keys", "redis"].filter { section.has($0) }
    if places.count > 1 {
      error(section.keyPosition(places[1]), "'\(places[0])' is there too: write the entries in one place")
    } else if places.isEmpty, section.refused.isEmpty {
      error(
        section.position,
        "the set has no keys: write file: keys.yaml, redis: NAME, or keys: with what 'catraca key new' prints")
    }
    if section.has("cache"), !section.has("redis") {
      error(section.keyPosition("cache"), "'cache' is for keys in 'redis': remove it")
    }
  }

  fileprivate func apiKeyNames(_ node: SourceNode, _ what: String) -> [Int]? {
    var indices: [Int] = []
    for item in list(node, what) ?? [] {
      guard let name = line(item, "a set of API keys") else { continue }
      names.usedAPIKeys.insert(name)
      guard let index = names.apiKeys.index(of: name) else {
        error(item.position, undefined(name, "set of API keys", among: names.apiKeys.names))
        continue
      }
      if indices.contains(index) {
        error(item.position, "the set of API keys \(name.quoted) appears twice: remove one")
      } else {
        indices.append(index)
      }
    }
    let stored = indices.filter { names.apiKeySets.indices.contains($0) && names.apiKeySets[$0].store != nil }
    // LIMIT: an unknown key costs one look.
    if stored.count > 1 {
      error(node.position, "\(what) has two sets that are in Redis, and a key is looked for in one: keep one of them")
    }
    return indices.isEmpty ? nil : indices
  }

  fileprivate func apiKeyPlaces(_ node: SourceNode, _ what: String) -> [TokenSource]? {
    var result: [TokenSource] = []
    for item in list(node, what) ?? [] {
      guard let text = line(item, "a place of keys"), let place = apiKeyPlace(text, what, at: item.position) else {
        continue
      }
      if result.contains(place) {
        error(item.position, "\(text.quoted) appears twice: remove one")
      } else {
        result.append(place)
      }
    }
    return result.isEmpty ? nil : result
  }

  private func apiKeyPlace(_ text: String, _ what: String, at position: SourcePosition) -> TokenSource? {
    if text == "basic" { return .basic }
    switch requestValue(text, what, [.header, .query], words: ["basic"], at: position) {
    case .header("authorization"):
      error(position, "a key in the Authorization header is the password of 'basic': write that")
    case .header("cookie"): error(position, "a key is not sent in a cookie: write header:X-Api-Key")
    case let value: return value.map { .value($0) }
    }
    return nil
  }

  // MARK: Entries

  fileprivate func apiKeyFile(_ node: SourceNode, _ what: String) -> (file: APIKeySet.File, keys: APIKeyTable)? {
    guard let text = line(node, what) else { return nil }
    let path = resolve(path: text, at: node.position)
    let file = APIKeySet.File(path: path, signature: signature(path))
    // A change of it is no change of the configuration: the gateway looks at it by itself.
    guard
      let bytes = contents(
        ofResolved: path, at: node.position, isWatched: false, byteCountMax: APIKeyFile.byteCountMax)
    else { return nil }
    return (file, APIKeyFile.table(of: bytes, path: path, at: node.position, self))
  }

  fileprivate func apiKeyEntries(_ node: SourceNode, _ what: String) -> APIKeyTable? {
    guard let items = list(node, what, isEmptyAllowed: true) else { return nil }
    var table = APIKeyTable()
    for item in items { add(item, to: &table) }
    return table
  }

  /// Reads one entry.
  func add(_ item: SourceNode, to table: inout APIKeyTable) {
    let before = errorCount
    guard let entry = APIKeyEntry.settings.read(item, self), errorCount == before else { return }
    guard let claims = claims(of: entry, at: item.position) else { return }
    if !table.insert(digest: entry.digest, id: Array(entry.id.utf8), claims: claims, expiresAt: entry.expiresAt) {
      error(item.position, "another entry of this set has the same hash: remove one")
    }
  }

  /// The text of a JSON object. Nil after an error was reported.
  private func claims(of entry: APIKeyEntry, at position: SourcePosition) -> [UInt8]? {
    var members: [(name: String, json: String)] = []
    for claim in entry.claims {
      guard let json = claim.json else { continue }
      if claim.name == "scope" || claim.name == "scp", !entry.scopes.isEmpty {
        error(position, "the scopes are in 'scopes' and in the claim \(claim.name.quoted): write them in one place")
        return nil
      }
      if claim.name == "sub", json.first != "\"" {
        error(position, "the claim 'sub' must be text: put it in quotes")
        return nil
      }
      members.append((claim.name, json))
    }
    if !members.contains(where: { $0.name == "sub" }) { members.insert(("sub", JSONText.quoted(entry.id)), at: 0) }
    if !entry.scopes.isEmpty {
      members.append(("scope", JSONText.quoted(entry.scopes.joined(separator: " "))))
    }
    let text = members.map { "\(JSONText.quoted($0.name)):\($0.json)" }.joined(separator: ",")
    // LIMIT: what one key may say.
    if text.utf8.count > 16 * 1024 {
      error(position, "the claims of a key have at most 16 KiB")
      return nil
    }
    return Array("{\(text)}".utf8)
  }

  fileprivate func apiKeyHash(_ node: SourceNode, _ what: String) -> [UInt8]? {
    guard let text = line(node, what) else { return nil }
    let digits = text.dropFirst("sha256:".count)
    if text.hasPrefix("sha256:"), let digest = Self.digest(digits) { return digest }
    // Whatever it is, it may be the key itself.
    error(node.position, "\(what) must be sha256: and the digest of the key: 'catraca key hash' prints it")
    return nil
  }

  /// 32 bytes in base64url or in hexadecimal digits.
  private static func digest(_ text: Substring) -> [UInt8]? {
    if text.utf8.count == 64 {
      var result: [UInt8] = []
      var rest = text[...]
      while !rest.isEmpty {
        guard let byte = UInt8(rest.prefix(2), radix: 16), rest.first != "+", rest.first != "-" else { return nil }
        result.append(byte)
        rest = rest.dropFirst(2)
      }
      return result
    }
    let digest = Base64URL.decode(Array(text.utf8).span)
    return digest?.count == 32 ? digest : nil
  }

  fileprivate func apiKeyClaims(_ node: SourceNode, _ what: String) -> [TestToken.Claim]? {
    entries(node, what, example: "claims: { plan: gold }")?.map { entry in
      TestToken.Claim(name: entry.key, json: entry.value.isNull ? nil : JSONText.typed(entry.value))
    }
  }

  fileprivate func apiKeyEnd(_ node: SourceNode, _ what: String) -> Int64? {
    guard let text = line(node, what) else { return nil }
    if let end = CalendarTime.unixSeconds(text) { return end }
    error(node.position, "\(what) must be a day such as 2027-01-31 or a moment such as 2027-01-31T12:00:00Z")
    return nil
  }
}

// MARK: Values

extension ValueType where Value == [APIKeySet] {
  static let apiKeySets = ValueType(
    .mappings("mapping by name", names: ["pattern": .text(ValueForm.namePattern)], .mapping(APIKeySet.settings.table))
  ) { node, reading, what in reading.apiKeySets(node, what) }
}

extension ValueType where Value == [Int] {
  /// Indices into the sets of API keys.
  static let apiKeyNames = ValueType(.list(of: .text("name"), "list of names")) { node, reading, what in
    reading.apiKeyNames(node, what)
  }
}

extension ValueType where Value == [TokenSource] {
  static let apiKeyPlaces = ValueType(
    .list(of: place, "list of \(place.words)"),
    write: { $0 == [.value(.header("x-api-key"))] ? .list(["header:X-Api-Key"]) : nil },
    read: { node, reading, what in reading.apiKeyPlaces(node, what) })

  private static let place = ValueForm.requestValue([.header, .query], words: ["basic"])
}

extension ValueType where Value == (file: APIKeySet.File, keys: APIKeyTable) {
  static let apiKeyFile = ValueType(.text("path")) { node, reading, what in reading.apiKeyFile(node, what) }
}

extension ValueType where Value == APIKeyTable {
  static let apiKeyEntries = ValueType(
    .list(of: .mapping(APIKeyEntry.settings.table), "list of entries", isEmptyAllowed: true)
  ) { node, reading, what in reading.apiKeyEntries(node, what) }
}

extension ValueType where Value == [UInt8] {
  static let apiKeyHash = ValueType(.text("`sha256:` and a digest")) { node, reading, what in
    reading.apiKeyHash(node, what)
  }
}

extension ValueType where Value == [TestToken.Claim] {
  static let apiKeyClaims = ValueType(ValueForm("claim: value", ["type": "object"])) { node, reading, what in
    reading.apiKeyClaims(node, what)
  }
}

extension ValueType where Value == Int64 {
  static let apiKeyEnd = ValueType(.text("day or moment")) { node, reading, what in reading.apiKeyEnd(node, what) }
}
