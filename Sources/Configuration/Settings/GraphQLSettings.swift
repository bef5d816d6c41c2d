// The keys of `graphql:`.

import Tokens

extension GraphQLRules {
  static let settings = Settings<GraphQLRules>(
    "routes[].graphql", title: "'graphql'", example: "graphql: { max_depth: 12 }", blank: GraphQLRules(),
    [
      Setting(
        "body_size", \.bodySize, .size(from: .kibi(1), to: .mebi(4)),
        "The largest body of a request, and message of a WebSocket. It is held until it is whole."),
      Setting("max_depth", \.depthMax, .integer(1...200), "Fields inside one another."),
      Setting("max_aliases", \.aliasCountMax, .integer(0...100_000), "Fields with an alias."),
      Setting("max_root_fields", \.rootFieldCountMax, .integer(1...100_000), "Fields at the top of operations."),
      Setting("max_tokens", \.tokenCountMax, .integer(10...1_000_000), "Names, numbers, texts and marks."),
      Setting(
        "introspection", \.introspection, .introspection,
        "Whether `__schema` and `__type` may be asked for. `{ scopes: [schema.read] }` lets callers with these scopes."
      ),
      Setting("batch", \.batchCountMax, .integer(1...100), "How many requests one body may have, as a list."),
      Setting(
        "operations", \.operations, .operationRules,
        "What operations require beside `auth`. All rules that fit an operation must hold.", otherwise: "none"),
      Setting(
        "persisted", \.persisted, .mapping(PersistedOperations.settings),
        "Documents that clients may name by their hash."),
    ])
}

extension GraphQLOperationRule {
  static let settings = Settings<GraphQLOperationRule>(
    "routes[].graphql.operations[]", title: "a rule of 'operations'",
    example: "- { type: mutation, scopes: [shop.write] }", blank: GraphQLOperationRule(),
    finish: { _, section in
      if section.has("scopes") || section.has("claims") { return }
      section.reading.error(
        section.position, "the rule requires nothing: write scopes: [NAME] or claims: { NAME: VALUE }")
    },
    [
      Setting("type", \.kind, .choice, "Fits operations of this type.", otherwise: "any"),
      Setting(
        "names", \.names, .graphQLNames, "Fits operations of one of these names, which the client chooses.",
        otherwise: "any"),
      Setting(
        "root_fields", \.rootFields, .graphQLNames,
        "Fits operations that ask for one of these fields at the top, whatever alias or fragment it is in.",
        otherwise: "any"),
      Setting("scopes", \.scopes, .scopes, "As in `auth`.", otherwise: "none"),
      Setting("claims", \.claims, .claims, "As in `auth`.", otherwise: "none"),
    ])
}

extension PersistedOperations {
  static let settings = Settings<PersistedOperations>(
    "routes[].graphql.persisted", title: "'persisted'", example: "persisted: { file: operations.json }",
    blank: PersistedOperations(),
    [
      Setting(
        "file", \.documents, .persistedDocuments,
        "JSON: an object of SHA-256 in hexadecimal → document, or Apollo's manifest. Read again with the configuration.",
        required: "write file: operations.json"),
      Setting("only", \.isOnly, .boolean, "`true` refuses every other document."),
    ])
}

extension GraphQLIntrospection {
  /// The form with scopes.
  static let settings = Settings<ScopeRequirement>(
    "routes[].graphql.introspection", title: "'introspection'", example: "introspection: { scopes: [schema.read] }",
    blank: ScopeRequirement(),
    [
      Setting(
        "scopes", .scopes, "As in `auth`.", required: "write scopes: [schema.read]",
        store: { requirement, scopes in requirement = scopes })
    ])
}
