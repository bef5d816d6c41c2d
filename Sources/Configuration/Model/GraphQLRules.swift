// `graphql:` of a route: what its documents may ask for, and by whom.

package import Tokens

package struct GraphQLRules: Sendable, Equatable {
  package var bodySize: UInt64 = .kibi(64)
  package var depthMax: UInt32 = 12
  package var aliasCountMax: UInt32 = 30
  package var rootFieldCountMax: UInt32 = 20
  package var tokenCountMax = 10_000
  package var introspection = GraphQLIntrospection.off
  /// How many requests a list may have.
  package var batchCountMax = 1
  /// Those that fit an operation must all hold.
  package var operations: [GraphQLOperationRule] = []
  package var persisted: PersistedOperations?

  package init() {}
}

/// Who may ask for the schema.
package enum GraphQLIntrospection: Sendable, Equatable {
  case off, on
  case scopes(ScopeRequirement)
}

/// The raw values are the keywords of documents.
package enum GraphQLOperationKind: String, Sendable, CaseIterable {
  case query, mutation, subscription
}

/// One of `operations:`. What is not said fits all.
package struct GraphQLOperationRule: Sendable, Equatable {
  package var kind: GraphQLOperationKind?
  package var names: [String] = []
  package var rootFields: [String] = []
  package var scopes = ScopeRequirement()
  package var claims: [ClaimRequirement] = []

  package init() {}
}

/// `persisted:` of `graphql`.
package struct PersistedOperations: Sendable, Equatable {
  package struct Document: Sendable, Equatable {
    /// SHA-256 in hexadecimal.
    package var hash: String
    package var text: String

    package init(hash: String, text: String) {
      self.hash = hash
      self.text = text
    }
  }

  /// Sorted by their hashes.
  package var documents: [Document] = []
  /// Whether no other document passes.
  package var isOnly = false

  package init() {}
}
