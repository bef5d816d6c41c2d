// `graphql:` of a route in the data plane's form, and what it makes of a document.

import Bytes
import Configuration
import GraphQL
import Tokens

/// The rules of one route, shared by all workers.
final class CompiledGraphQL: Sendable {
  let bodySizeMax: Int
  let batchCountMax: Int
  private let depthMax: UInt32
  private let aliasCountMax: UInt32
  private let rootFieldCountMax: UInt32
  private let tokenCountMax: Int
  private let introspection: Introspection
  private let rules: [OperationRule]
  private let documents: [[UInt8]: [UInt8]]
  private let isPersistedOnly: Bool
  /// The scopes of the route's own `auth`.
  private let routeScopes: [String]
  /// Ids in the counters, of the names that metrics have.
  private let nameIDs: [[UInt8]: Int]

  private enum Introspection: Sendable {
    case off, on
    case access(RuleAccess)
  }

  init(_ rules: GraphQLRules, routeScopes: [String], names: CounterNames) {
    bodySizeMax = Int(clamping: rules.bodySize)
    batchCountMax = rules.batchCountMax
    depthMax = rules.depthMax
    aliasCountMax = rules.aliasCountMax
    rootFieldCountMax = rules.rootFieldCountMax
    tokenCountMax = rules.tokenCountMax
    introspection =
      switch rules.introspection {
      case .off: .off
      case .on: .on
      case .scopes(let scopes): .access(RuleAccess(scopes, []))
      }
    self.rules = rules.operations.map(OperationRule.init)
    let persisted = rules.persisted?.documents ?? []
    documents = Dictionary(
      persisted.map { (Array($0.hash.utf8), Array($0.text.utf8)) }, uniquingKeysWith: { first, _ in first })
    isPersistedOnly = rules.persisted?.isOnly ?? false
    self.routeScopes = routeScopes
    nameIDs = Dictionary(
      rules.operationNames.compactMap { name in names.operationID(name).map { (Array(name.utf8), $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// The id of an operation in metrics. Nil for names that the file does not know, which a client may make up.
  func counterID(of name: [UInt8]) -> Int? { nameIDs.isEmpty ? nil : nameIDs[name] }

  // MARK: Which document

  /// The document that a request means.
  /// - Parameters:
  ///   - text: what it sent.
  ///   - hash: in place of it, or beside.
  func document(sent text: Span<UInt8>?, hash: [UInt8]?) -> PersistedDocument {
    guard let text else {
      guard let hash else { return .refused(.graphQLRequestInvalid) }
      guard let known = documents[hash] else { return .refused(.graphQLPersistedUnknown) }
      return .known(known)
    }
    if hash == nil, !isPersistedOnly { return .sent }
    let own = PersistedDocument.hash(of: text)
    // A server that stores it under this hash would execute another one.
    if let hash, hash != own { return .refused(.graphQLRequestInvalid) }
    return isPersistedOnly && documents[own] == nil ? .refused(.graphQLNotPersisted) : .sent
  }

  // MARK: What it may

  /// Holds a document against the rules.
  /// - Parameter name: of the operation that is executed.
  func examine(
    _ text: Span<UInt8>, named name: Span<UInt8>?, isByGet: Bool, of caller: Caller?, _ document: inout Document
  ) -> OperationVerdict {
    if let error = document.read(text, tokenCountMax: tokenCountMax) {
      switch error {
      case .tooManyTokens: return OperationVerdict(.graphQLTooManyTokens)
      case .nestedTooDeeply: return OperationVerdict(.graphQLTooDeep)
      case .syntax, .nameAmbiguous, .fragmentUnknown, .fragmentCycle: return OperationVerdict(.graphQLDocumentInvalid)
      }
    }
    guard let operation = document.operation(named: name, in: text) else {
      return OperationVerdict(.graphQLOperationUnknown)
    }
    var verdict = OperationVerdict(operation)
    verdict.refusal =
      refusal(of: document).map(Refusal.gateway)
      ?? (isByGet && operation.type == .mutation ? .gateway(.graphQLMutationByGet) : nil)
    if verdict.refusal == nil { checkAccess(text, operation, of: caller, &document, &verdict) }
    return verdict
  }

  private func refusal(of document: Document) -> GatewayRefusal? {
    if document.depth > depthMax { return .graphQLTooDeep }
    if document.aliasCount > aliasCountMax { return .graphQLTooManyAliases }
    if document.rootFieldCount > rootFieldCountMax { return .graphQLTooManyRootFields }
    if case .off = introspection, document.usesIntrospection { return .graphQLIntrospectionRefused }
    return nil
  }

  private func checkAccess(
    _ text: Span<UInt8>, _ operation: Document.Operation, of caller: Caller?, _ document: inout Document,
    _ verdict: inout OperationVerdict
  ) {
    var required: [RuleAccess] = []
    if case .access(let access) = introspection, document.usesIntrospection { required.append(access) }
    if !rules.isEmpty {
      let roots = document.rootFields(of: operation)
      for index in rules.indices where rules[index].fits(operation, roots, in: text) {
        required.append(rules[index].access)
      }
    }
    for access in required {
      guard let caller else {
        verdict.isCallerMissing = true
        break
      }
      if let refusal = access.rules.refusal(of: caller) {
        verdict.refusal = .token(refusal)
        break
      }
    }
    if verdict.isCallerMissing || verdict.refusal != nil {
      var scopes = routeScopes
      for scope in required.flatMap(\.scopes) where !scopes.contains(scope) { scopes.append(scope) }
      verdict.scopes = scopes.joined(separator: " ")
    }
  }
}

/// Where a document comes from.
enum PersistedDocument {
  /// It is what was sent.
  case sent
  /// From the route's file.
  case known([UInt8])
  case refused(GatewayRefusal)
}

/// What the rules say about one operation.
struct OperationVerdict {
  /// Nil where the document has no such operation.
  var operation: Document.Operation?
  var refusal: Refusal?
  /// A rule asks about the caller, and there is none.
  var isCallerMissing = false
  /// All that the operation requires, where something is missing.
  var scopes = ""

  /// Whether another caller would have passed.
  var isAboutCaller: Bool { if case .token = refusal { true } else { isCallerMissing } }

  init(_ operation: Document.Operation) { self.operation = operation }

  init(_ refusal: GatewayRefusal) { self.refusal = .gateway(refusal) }
}

/// What a rule requires of the caller.
struct RuleAccess: Sendable {
  let rules: AccessRules
  let scopes: [String]

  init(_ scopes: ScopeRequirement, _ claims: [ClaimRequirement]) {
    rules = AccessRules(scopes: scopes, claims: claims)
    self.scopes = scopes.names
  }
}

/// One of `operations:`.
private struct OperationRule: Sendable {
  private let type: OperationType?
  private let names: [[UInt8]]
  private let rootFields: [[UInt8]]
  let access: RuleAccess

  init(_ rule: GraphQLOperationRule) {
    type =
      switch rule.kind {
      case .query: .query
      case .mutation: .mutation
      case .subscription: .subscription
      case nil: nil
      }
    names = rule.names.map { Array($0.utf8) }
    rootFields = rule.rootFields.map { Array($0.utf8) }
    access = RuleAccess(rule.scopes, rule.claims)
  }

  func fits(_ operation: Document.Operation, _ roots: [TextRange], in text: Span<UInt8>) -> Bool {
    if let type, type != operation.type { return false }
    if !names.isEmpty, !Self.contain(names, text.extracting(operation.name.bounds)) { return false }
    if rootFields.isEmpty { return true }
    for root in roots where Self.contain(rootFields, text.extracting(root.bounds)) { return true }
    return false
  }

  private static func contain(_ names: [[UInt8]], _ name: Span<UInt8>) -> Bool {
    for index in names.indices where name.equals(names[index]) { return true }
    return false
  }
}

extension GraphQLRules {
  /// The names of operations that the file knows: those of its rules, and of the documents that it lists.
  var operationNames: [String] {
    var result = operations.flatMap(\.names)
    var reader = Document()
    for document in persisted?.documents ?? [] {
      let text = Array(document.text.utf8)
      if reader.read(text.span, tokenCountMax: 1_000_000) != nil { continue }
      for operation in reader.operations where !operation.name.isEmpty {
        result.append(text.span.extracting(operation.name.bounds).text())
      }
    }
    return result
  }
}
