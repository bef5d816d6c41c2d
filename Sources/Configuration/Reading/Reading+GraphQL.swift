// `graphql:` of a route.

import Cryptography
import GraphQL
import JSON
import Tokens

extension Reading {
  /// What the keys of a route and its `graphql` require of each other.
  func checkGraphQL(_ route: Route, section: Section) {
    if let webSocket = route.webSocket, section.refused.isDisjoint(with: ["graphql", "websocket"]) {
      let position = section.keyPosition("websocket")
      if route.graphQL == nil, webSocket.isGraphQL {
        error(position, "'websocket' with 'graphql' requires 'graphql' of the route: write graphql: {}")
      } else if route.graphQL != nil, !webSocket.isGraphQL {
        error(
          position,
          "messages of a WebSocket would pass by the rules of 'graphql': write websocket: { graphql: true }")
      }
    }
    guard let rules = route.graphQL else { return }
    let position = section.keyPosition("graphql")
    if route.action.upstreams.isEmpty {
      error(position, "'graphql' requires an upstream, and this route has none: remove it")
    }
    let hasRules = !rules.operations.isEmpty || rules.introspection.requiresScopes
    if hasRules, route.auth == .public, !section.refused.contains("auth") {
      error(
        position,
        "the rules of 'graphql' ask about callers, and 'auth: public' knows none: "
          + "write auth: { issuers: [NAME], optional: true }")
    }
    for rule in rules.operations where rule.rootFields.isEmpty && !rule.names.isEmpty {
      if rules.persisted?.isOnly == true { break }
      warn(
        position,
        "a client can give its operation another name than \(rule.names[0].quoted): write 'root_fields', or "
          + "persisted: { only: true }")
      break
    }
  }

  fileprivate func operationRules(_ node: SourceNode, _ what: String) -> [GraphQLOperationRule]? {
    guard case .list(let items) = node.content else {
      error(node.position, "\(what) must be a list, not \(node.kind): write - { type: mutation, scopes: [write] }")
      return nil
    }
    // LIMIT: each document is held against all of them.
    if items.count > 1000 {
      error(node.position, "\(what) has at most 1000 rules")
      return nil
    }
    return items.compactMap { GraphQLOperationRule.settings.read($0, self) }
  }

  fileprivate func introspection(_ node: SourceNode, _ what: String) -> GraphQLIntrospection? {
    if case .mapping = node.content { return GraphQLIntrospection.settings.read(node, self).map { .scopes($0) } }
    return boolean(node, what).map { $0 ? .on : .off }
  }

  // MARK: Persisted documents

  fileprivate func persistedDocuments(_ node: SourceNode, _ what: String) -> [PersistedOperations.Document]? {
    guard let path = line(node, what), let bytes = contents(of: path, at: node.position) else { return nil }
    // What is read whole is at most 4 MiB.
    guard let json = try? JSONDocument(bytes, limits: JSONLimits(depthMax: 8, nodeCountMax: .max)),
      let documents = persistedDocuments(json)
    else {
      error(
        node.position,
        "the file \(path.quoted) is not an object of hashes and documents: write { \"SHA-256\": \"query …\" }")
      return nil
    }
    var reader = GraphQL.Document()
    for document in documents {
      let text = Array(document.text.utf8)
      let hash = SHA256.digest(text.span).flatMap { [$0 >> 4, $0 & 15] }.map { Array("0123456789abcdef")[Int($0)] }
      if String(hash) != document.hash {
        error(node.position, "in \(path.quoted), \(document.hash.quoted) is not the SHA-256 of its document")
        return nil
      }
      if let problem = reader.read(text.span, tokenCountMax: 1_000_000) {
        error(node.position, "in \(path.quoted), the document of \(document.hash.quoted) is refused: \(problem)")
        return nil
      }
    }
    return documents
  }

  /// Nil for what has another form. An object has no member twice.
  private func persistedDocuments(_ json: JSONDocument) -> [PersistedOperations.Document]? {
    var result: [PersistedOperations.Document] = []
    if json.member("format", of: json.root) != nil, let list = json.member("operations", of: json.root) {
      for element in json.elements(of: list) {
        guard let id = json.member("id", of: element).flatMap({ json.string(at: $0) }),
          let body = json.member("body", of: element).flatMap({ json.string(at: $0) })
        else { return nil }
        result.append(PersistedOperations.Document(hash: id, text: body))
      }
    } else {
      guard json.kind(json.root) == .object else { return nil }
      for (name, value) in json.members(of: json.root) {
        guard let hash = json.string(at: name), let text = json.string(at: value) else { return nil }
        result.append(PersistedOperations.Document(hash: hash, text: text))
      }
    }
    return result.sorted { $0.hash < $1.hash }
  }
}

extension GraphQLIntrospection {
  var requiresScopes: Bool { if case .scopes = self { true } else { false } }
}

// MARK: Values

extension ValueType where Value == [GraphQLOperationRule] {
  static let operationRules = ValueType(
    .list(of: .mapping(GraphQLOperationRule.settings.table), "list of rules", isUnique: false, atMost: 1000)
  ) { node, reading, what in reading.operationRules(node, what) }
}

extension ValueType where Value == GraphQLIntrospection {
  static let introspection = ValueType(
    .any(of: [.boolean, .mapping(GraphQLIntrospection.settings.table)], "true, false, or `{ scopes: list }`"),
    write: { $0.requiresScopes ? nil : .boolean($0 == .on) },
    read: { node, reading, what in reading.introspection(node, what) })
}

extension ValueType where Value == [PersistedOperations.Document] {
  static let persistedDocuments = ValueType(.text("path")) { node, reading, what in
    reading.persistedDocuments(node, what)
  }
}

extension ValueType where Value == [String] {
  static let graphQLNames = ValueType.names("list of names", item: "a name", check: graphQLNameProblem)

  private static func graphQLNameProblem(_ name: String) -> String? {
    let isGood = name.utf8.enumerated().allSatisfy { index, byte in
      byte == UInt8(ascii: "_") || byte.isAlphanumeric && (index > 0 || !(0x30...0x39).contains(byte))
    }
    return isGood ? nil : "\(name.quoted) is not a valid name in GraphQL: it has letters, digits and _ only"
  }
}
