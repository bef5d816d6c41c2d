// What a client says over a WebSocket, in either of two protocols: graphql-transport-ws, and graphql-ws, which came
// before it.
//
// Invariant: a message that another reader could understand in another way is none.

import Bytes
package import JSON

package enum SubscriptionProtocol: Sendable {
  /// `graphql-transport-ws`.
  case transport
  /// `graphql-ws`.
  case legacy

  package init?(_ name: Span<UInt8>) {
    if name.equals("graphql-transport-ws") {
      self = .transport
    } else if name.equals("graphql-ws") {
      self = .legacy
    } else {
      return nil
    }
  }
}

package struct ClientMessage: Sendable {
  package enum Kind: Sendable, Equatable {
    /// The connection begins. The value of a token, where its payload has one.
    case begin(token: [UInt8]?)
    /// An operation begins.
    case operation(RequestMembers)
    /// It has nothing to ask for.
    case other
  }

  package let json: JSONDocument
  package let kind: Kind
  /// Of the operation, as it is written.
  package let id: Range<Int>

  package init(_ bytes: [UInt8], _ subscriptionProtocol: SubscriptionProtocol) throws(OperationRequestError) {
    do {
      json = try JSONDocument(bytes, limits: JSONLimits(depthMax: 64, nodeCountMax: .max))
    } catch {
      throw .malformed
    }
    guard json.kind(json.root) == .object else { throw .invalid }
    var type: JSONDocument.Index?
    var payload: JSONDocument.Index?
    var id = 0..<0
    for (name, value) in json.members(of: json.root) {
      if json.stringEquals(name, Self.type.span) {
        type = value
      } else if json.stringEquals(name, Self.payload.span) {
        payload = value
      } else if json.stringEquals(name, Self.id.span) {
        guard json.kind(value) == .string else { throw .invalid }
        id = json.rawRange(of: value)
      } else {
        throw .invalid
      }
    }
    guard let type, let word = json.string(at: type) else { throw .invalid }
    self.id = id
    switch (word, subscriptionProtocol) {
    case ("connection_init", _): kind = .begin(token: try Self.token(payload, in: json))
    case ("subscribe", .transport), ("start", .legacy):
      guard let payload, !id.isEmpty else { throw .invalid }
      kind = .operation(try RequestMembers(of: payload, in: json))
    case ("ping", .transport), ("pong", .transport), ("complete", .transport), ("stop", .legacy),
      ("connection_terminate", .legacy):
      kind = .other
    default: throw .invalid
    }
  }

  private static let type = Array("type".utf8)
  private static let payload = Array("payload".utf8)
  private static let id = Array("id".utf8)

  /// `Authorization: Bearer TOKEN` among the payload's members, whatever the case of the name, or among its `headers`.
  private static func token(
    _ payload: JSONDocument.Index?, in json: JSONDocument
  ) throws(OperationRequestError) -> [UInt8]? {
    guard let payload, json.kind(payload) == .object else { return nil }
    var found: [UInt8]?
    var objects = [payload]
    while let object = objects.popLast() {
      for (name, value) in json.members(of: object) {
        let text = json.stringBytes(at: name) ?? []
        if object == payload, text.span.equalsIgnoringCase("headers"), json.kind(value) == .object {
          objects.append(value)
        }
        guard text.span.equalsIgnoringCase("authorization"), json.kind(value) != .null else { continue }
        guard found == nil, let credential = json.stringBytes(at: value), credential.count > 7,
          credential.span.extracting(0..<7).equalsIgnoringCase("bearer ")
        else { throw .invalid }
        found = Array(credential[7...])
      }
    }
    return found
  }
}
