// What a request of GraphQL asks for. The route's rules are about its document, so the body is held until it is whole,
// and goes on to the server as it came.

import Bytes
import GraphQL
import HTTPWire
import JSON
import Tokens

/// What is known of the operation of a request, on a route with `graphql`.
final class RequestedOperation {
  /// LIMIT: bytes of a name in the log.
  private static let nameByteCountMax = 128

  /// Of the first one in a list. Empty where it has none.
  fileprivate(set) var name: [UInt8] = []
  /// What `WWW-Authenticate` asks for, where a rule refuses the caller.
  fileprivate(set) var scopes = ""
  /// Nil where no rule has refused.
  var requiredScopes: String? { scopes.isEmpty ? nil : scopes }

  fileprivate func take(_ name: Span<UInt8>) {
    if self.name.isEmpty { self.name = name.extracting(0..<min(name.count, Self.nameByteCountMax)).copied() }
  }
}

/// What a worker reads documents with.
struct OperationReader: ~Copyable {
  var document = Document()
  var text = ByteQueue()
}

extension Exchange {
  func examineOperation() -> StageOutcome {
    // A tunnel's messages are looked at as they come.
    guard let rules = route?.graphQL, !request.handshake.isRequested else { return .next }
    let operation = RequestedOperation()
    self.operation = operation
    switch request.head.method {
    case .post:
      if request.target.namesGraphQL { return .refuse(.gateway(.graphQLRequestInvalid)) }
      if request.head.graphQLForm == nil { return .refuse(.gateway(.graphQLMediaType)) }
      return collectBody()
    case .get: return examineQuery(rules, operation)
    // A preflight has nothing to execute.
    case .options where request.body.isComplete && !request.target.namesGraphQL: return .next
    default: return .refuse(.gateway(.graphQLMethodNotAllowed))
    }
  }

  /// The body has come as a whole.
  func examineBody() -> StageOutcome {
    guard let rules = route?.graphQL, let operation, let form = request.head.graphQLForm else {
      return .refuse(.gateway(.graphQLRequestInvalid))
    }
    // What is not kept any more was too much for the process's memory.
    if request.body.byteCount > UInt64(request.body.kept.count) { return .refuse(.gateway(.memoryExhausted)) }
    let body = request.body.kept.copied()
    if let refusal = examine(body, form, rules, operation) { return .refuse(refusal) }
    request.body.isReplayDue = !body.isEmpty
    return .next
  }

  private func examine(
    _ body: [UInt8], _ form: GraphQLForm, _ rules: CompiledGraphQL, _ operation: RequestedOperation
  ) -> Refusal? {
    if form == .document { return examine(body.span, hash: nil, named: nil, rules, operation) }
    let requests: OperationRequests
    do throws(OperationRequestError) {
      requests = try OperationRequests(body, batchCountMax: rules.batchCountMax)
    } catch {
      return .gateway(error == .batchTooLarge ? .graphQLBatchTooLarge : .graphQLRequestInvalid)
    }
    for members in requests.requests {
      if let refusal = examine(members, of: requests.json, rules, operation) { return refusal }
    }
    return nil
  }

  func examine(
    _ members: RequestMembers, of json: JSONDocument, _ rules: CompiledGraphQL, _ operation: RequestedOperation
  ) -> Refusal? {
    // Taken out while it is read, as everything that is read.
    var text = ByteQueue()
    swap(&text, &worker.operations.text)
    defer { swap(&text, &worker.operations.text) }
    text.removeAll()
    let hasText = members.query.map { json.appendString(at: $0, to: &text) } ?? false
    let name = members.operationName.flatMap { json.stringBytes(at: $0) }
    let hash = members.hash.flatMap { json.stringBytes(at: $0) }
    return if hasText {
      examine(text.span, hash: hash, named: name, rules, operation)
    } else {
      examine(nil, hash: hash, named: name, rules, operation)
    }
  }

  /// - Parameter name: an empty one is none.
  private func examine(
    _ text: Span<UInt8>?, hash: [UInt8]?, named name: [UInt8]?, _ rules: CompiledGraphQL,
    _ operation: RequestedOperation, isByGet: Bool = false
  ) -> Refusal? {
    let name = name.flatMap { $0.isEmpty ? nil : $0 }
    switch rules.document(sent: text, hash: hash) {
    case .refused(let refusal): return .gateway(refusal)
    case .known(let known): return judge(known.span, name, rules, operation, isByGet: isByGet)
    case .sent:
      guard let text else { return .gateway(.graphQLRequestInvalid) }
      return judge(text, name, rules, operation, isByGet: isByGet)
    }
  }

  private func judge(
    _ text: Span<UInt8>, _ name: [UInt8]?, _ rules: CompiledGraphQL, _ operation: RequestedOperation, isByGet: Bool
  ) -> Refusal? {
    let verdict = rules.examine(text, named: name?.span, isByGet: isByGet, of: caller, &worker.operations.document)
    if let found = verdict.operation {
      let found = (name: text.extracting(found.name.bounds), type: found.type)
      operation.take(found.name)
      worker.counters.countOperation(
        route: route?.counterID, operation: rules.counterID(of: found.name.copied()), found.type)
    }
    // In shadow nobody is refused for what the caller has, and the caller is not known here.
    if verdict.isAboutCaller, route?.token.isInShadow(issuer) ?? false { return nil }
    operation.scopes = verdict.scopes
    if verdict.isCallerMissing { return refuseCaller(missingCaller) }
    if case .token(let refusal) = verdict.refusal { return refuseCaller(refusal) }
    return verdict.refusal
  }

  private var missingCaller: TokenRefusal { route?.token.refusalOfNothing ?? .tokenMissing }

  private func refuseCaller(_ refusal: TokenRefusal) -> Refusal {
    countAuthentication(.refused(refusal))
    return .token(refusal)
  }

  // MARK: GET

  private func examineQuery(_ rules: CompiledGraphQL, _ operation: RequestedOperation) -> StageOutcome {
    guard request.body.isComplete, let parameters = request.target.graphQLParameters else {
      return .refuse(.gateway(.graphQLRequestInvalid))
    }
    var hash: [UInt8]?
    if let extensions = parameters.extensions {
      do {
        let json = try JSONDocument(extensions)
        hash = try RequestMembers.hash(in: json.root, of: json).flatMap { json.stringBytes(at: $0) }
      } catch {
        return .refuse(.gateway(.graphQLRequestInvalid))
      }
    }
    let query = parameters.query
    let refusal =
      if let query {
        examine(query.span, hash: hash, named: parameters.operationName, rules, operation, isByGet: true)
      } else {
        examine(nil, hash: hash, named: parameters.operationName, rules, operation, isByGet: true)
      }
    return refusal.map { .refuse($0) } ?? .next
  }
}
