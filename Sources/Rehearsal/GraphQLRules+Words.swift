// What a route's `graphql` requires, for people.

import Configuration
import Tokens

extension GraphQLRules {
  var words: [String] {
    var result = [
      "at most \(depthMax) fields inside one another, \(aliasCountMax) aliases, \(rootFieldCountMax) fields at the top, "
        + "\(tokenCountMax) tokens, \(bodySize) bytes"
    ]
    switch introspection {
    case .off: result.append("no introspection")
    case .on: break
    case .scopes(let scopes): result.append("introspection: \(scopes.words)")
    }
    result += operations.map { "\($0.subject): \($0.requirements.joined(separator: ", "))" }
    if let persisted {
      result.append("\(persisted.documents.count) persisted documents" + (persisted.isOnly ? ", and no others" : ""))
    }
    return result
  }
}

extension GraphQLOperationRule {
  /// Which operations it fits.
  fileprivate var subject: String {
    let kind = kind?.rawValue ?? "operation"
    let name = names.isEmpty ? "" : " named \(names.joined(separator: " or "))"
    let fields = rootFields.isEmpty ? "" : " with \(rootFields.joined(separator: " or "))"
    return "\(kind)\(name)\(fields)"
  }

  fileprivate var requirements: [String] {
    (scopes.names.isEmpty ? [] : [scopes.words])
      + claims.map { "claim \($0.claim): \($0.values.map(\.text).joined(separator: " or "))" }
  }
}

extension ScopeRequirement {
  fileprivate var words: String { "scope \(isAny ? "one of " : "")\(names.joined(separator: ", "))" }
}
