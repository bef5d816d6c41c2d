// What a request carries in JSON (GraphQL over HTTP, §5.4): one request, or a list of them.
//
// Invariant: what another reader could take for the document, its operation or its hash is what is found here, or the
// whole is refused. Some readers take names in any case, so a name that differs in case alone is refused, and so is
// every other one, which may name a document that is not here.

import Bytes
package import JSON

/// The places of one request's members. Nil where it has none, or null.
package struct RequestMembers: Sendable, Equatable {
  package var query: JSONDocument.Index?
  package var operationName: JSONDocument.Index?
  /// `extensions.persistedQuery.sha256Hash`.
  package var hash: JSONDocument.Index?
}

package enum OperationRequestError: Error, Sendable, Equatable {
  /// Not JSON, not UTF-8, or with a member twice.
  case malformed
  /// Not a request as GraphQL over HTTP has it.
  case invalid
  case batchTooLarge
}

package struct OperationRequests: Sendable {
  package let json: JSONDocument
  package let requests: [RequestMembers]
  /// Whether it is a list, be it of one.
  package let isBatch: Bool

  /// - Parameter batchCountMax: how many requests a list may have. A list of one is a list.
  package init(_ bytes: [UInt8], batchCountMax: Int) throws(OperationRequestError) {
    // LIMIT: variables inside one another. Values are bounded by the bytes, which have a limit already.
    let limits = JSONLimits(depthMax: 64, nodeCountMax: .max)
    do {
      json = try JSONDocument(bytes, limits: limits)
    } catch {
      throw .malformed
    }
    let root = json.root
    switch json.kind(root) {
    case .object:
      isBatch = false
      requests = [try RequestMembers(of: root, in: json)]
    case .array:
      isBatch = true
      var found: [RequestMembers] = []
      for element in json.elements(of: root) {
        // LIMIT: `batch`.
        if found.count == batchCountMax { throw .batchTooLarge }
        found.append(try RequestMembers(of: element, in: json))
      }
      if found.isEmpty { throw .invalid }
      requests = found
    default: throw .invalid
    }
  }
}

extension RequestMembers {
  /// - Parameter object: a request, or the payload of a message that subscribes.
  package init(of object: JSONDocument.Index, in json: JSONDocument) throws(OperationRequestError) {
    self.init()
    guard json.kind(object) == .object else { throw .invalid }
    for (name, value) in json.members(of: object) {
      if json.stringEquals(name, Self.query.span) {
        query = try Self.text(value, in: json)
      } else if json.stringEquals(name, Self.operationName.span) {
        operationName = try Self.text(value, in: json)
      } else if json.stringEquals(name, Self.extensions.span) {
        guard try Self.isObject(value, in: json) else { continue }
        hash = try Self.hash(in: value, of: json)
      } else if json.stringEquals(name, Self.variables.span) {
        _ = try Self.isObject(value, in: json)
      } else {
        throw .invalid
      }
    }
  }

  /// The hash among extensions.
  package static func hash(
    in extensions: JSONDocument.Index, of json: JSONDocument
  ) throws(OperationRequestError) -> JSONDocument.Index? {
    guard json.kind(extensions) == .object else { throw .invalid }
    guard let persisted = try member(persistedQuery, of: extensions, in: json) else { return nil }
    guard try isObject(persisted, in: json), let hash = try member(sha256Hash, of: persisted, in: json) else {
      return nil
    }
    return try text(hash, in: json)
  }

  private static let query = Array("query".utf8)
  private static let operationName = Array("operationName".utf8)
  private static let variables = Array("variables".utf8)
  private static let extensions = Array("extensions".utf8)
  private static let persistedQuery = Array("persistedQuery".utf8)
  private static let sha256Hash = Array("sha256Hash".utf8)

  /// One that is there in another case is refused.
  private static func member(
    _ wanted: [UInt8], of object: JSONDocument.Index, in json: JSONDocument
  ) throws(OperationRequestError) -> JSONDocument.Index? {
    var found: JSONDocument.Index?
    for (name, value) in json.members(of: object) {
      if json.stringEquals(name, wanted.span) {
        found = value
      } else if let other = json.stringBytes(at: name), isLike(other, wanted) {
        throw .invalid
      }
    }
    return found
  }

  private static func isLike(_ name: [UInt8], _ wanted: [UInt8]) -> Bool {
    name.count == wanted.count && zip(name, wanted).allSatisfy { $0 | 0x20 == $1 | 0x20 }
  }

  /// False for null.
  private static func isObject(_ value: JSONDocument.Index, in json: JSONDocument) throws(OperationRequestError) -> Bool
  {
    switch json.kind(value) {
    case .object: return true
    case .null: return false
    default: throw .invalid
    }
  }

  /// Nil for null.
  private static func text(
    _ value: JSONDocument.Index, in json: JSONDocument
  ) throws(OperationRequestError) -> JSONDocument.Index? {
    switch json.kind(value) {
    case .string: return value
    case .null: return nil
    default: throw .invalid
    }
  }
}
