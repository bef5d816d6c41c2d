// How the gateway refuses a request of GraphQL: as a server of GraphQL would (GraphQL, September 2025, §7, and GraphQL
// over HTTP, §6).

import Bytes
import HTTPWire
import JSON

extension Refusal {
  /// Whether it is about a document that was read. Clients that take `application/json` alone expect 200 for those.
  var isOfDocument: Bool {
    switch self {
    case .gateway(.graphQLDocumentInvalid), .gateway(.graphQLOperationUnknown), .gateway(.graphQLTooDeep),
      .gateway(.graphQLTooManyAliases), .gateway(.graphQLTooManyRootFields), .gateway(.graphQLTooManyTokens),
      .gateway(.graphQLIntrospectionRefused), .gateway(.graphQLPersistedUnknown), .gateway(.graphQLNotPersisted):
      true
    default: false
    }
  }

  /// For people, and for clients of persisted documents, which know this one by its text.
  var graphQLMessage: String {
    switch self {
    case .gateway(.graphQLPersistedUnknown): "PersistedQueryNotFound"
    case .gateway where code.hasPrefix("graphql_"): "\(record.sentence)".filter { $0 != "`" }
    default: reasonPhrase(of: status)
    }
  }
}

extension GatewayAnswer {
  static func graphQLError(_ refusal: Refusal, requestID: String) -> [UInt8] {
    var out = ByteQueue()
    out.append("{\"errors\":[")
    appendGraphQLError(refusal, requestID: requestID, to: &out)
    out.append("]}\n")
    return out.copied()
  }

  static func appendGraphQLError(_ refusal: Refusal, requestID: String, to out: inout ByteQueue) {
    out.append("{\"message\":")
    JSONWriter.append(string: refusal.graphQLMessage, to: &out)
    out.append(text: ",\"extensions\":{\"code\":\"\(refusal.code)\",\"request_id\":\"\(requestID)\"}}")
  }
}

extension RequestHead {
  /// Whether the client takes `application/graphql-response+json`: it says so, or names no type that is like it.
  var takesGraphQLResponse: Bool {
    accepts { $0.equalsIgnoringCase("application/graphql-response+json") }
      || !accepts { $0.equalsIgnoringCase("application/json") }
  }
}
