// What clients of GraphQL say over a WebSocket. Each message is held until it is whole, within `body_size` of the
// route's `graphql`, and goes to the server as one frame. What the rules refuse is answered here.
//
// Invariant: the server gets no message that was not read as a whole.

import Bytes
import Configuration
import GraphQL
import HTTPWire
import JSON
import Tokens

/// The messages of one tunnel.
final class GraphQLMessages {
  fileprivate let subscriptionProtocol: SubscriptionProtocol
  fileprivate var collector = MessageCollector()
  /// The client's `connection_init` went on.
  fileprivate var hasBegun = false
  /// Frames for the client, which wait until the server's message is whole.
  fileprivate var answers = ByteQueue()
  /// What came behind a message that waits.
  fileprivate var rest = ByteQueue()
  fileprivate var token: [UInt8] = []

  /// LIMIT: bytes of answers that wait for the end of a server's message. Past it the tunnel ends.
  fileprivate static let answerByteCountMax = 64 * 1024
  /// LIMIT: how long a client whose handshake had no token may take to send one.
  static let patienceNanoseconds: Int64 = 10_000_000_000

  init(_ subscriptionProtocol: SubscriptionProtocol) { self.subscriptionProtocol = subscriptionProtocol }
}

extension Exchange {
  /// Whether the client's messages obey the route's `graphql`.
  var examinesMessages: Bool { route?.webSocket?.isGraphQL ?? false }

  /// Whether somebody has to say who calls.
  var requiresCaller: Bool {
    guard let route, !route.isPublic, !route.token.isOptional else { return false }
    return !route.token.isInShadow(issuer)
  }

  /// The protocol that the server has chosen. Nil where nobody here could read its messages.
  func subscriptionProtocol(chosenBy response: borrowing ResponseHead) -> SubscriptionProtocol? {
    guard response.count(of: .secWebSocketProtocol) == 1, let field = response.first(.secWebSocketProtocol) else {
      return nil
    }
    return SubscriptionProtocol(response.bytes.span.extracting(field.value))
  }

  // MARK: From the client

  func examineMessages(_ bytes: Span<UInt8>, _ messages: GraphQLMessages) {
    // It is not read while it waits. What was read before is bounded by that.
    if wait != nil { return messages.rest.append(bytes) }
    var offset = 0
    while offset < bytes.count, downstream != nil, tunnel?.ending == nil {
      // Taken out, so that nothing that happens on the way can change the bytes under the reader.
      var message = ByteQueue()
      swap(&message, &request.body.kept)
      let event = messages.collector.take(
        bytes, offset: &offset, message: &message, byteCountMax: route?.graphQL?.bodySizeMax ?? 0)
      swap(&message, &request.body.kept)
      switch event {
      case .needMore: break
      case .control(let range): writeUpstream(bytes.extracting(range))
      case .unreadable: return endTunnel(.refused(.gateway(.graphQLRequestInvalid)))
      case .tooLarge: return endTunnel(.refused(.gateway(.bodyTooLarge)))
      case .text:
        examineMessage(messages)
        if wait != nil {
          downstream?.pauseReading()
          return messages.rest.append(bytes.extracting(offset..<bytes.count))
        }
      }
    }
    downstream?.settleKeptBody()
  }

  private func examineMessage(_ messages: GraphQLMessages) {
    let message: ClientMessage
    do throws(OperationRequestError) {
      message = try ClientMessage(request.body.kept.copied(), messages.subscriptionProtocol)
    } catch {
      return endTunnel(.refused(.gateway(.graphQLRequestInvalid)))
    }
    switch message.kind {
    case .other: passMessage()
    case .begin(let token): begin(token, messages)
    case .operation(let members): examine(members, message, messages)
    }
  }

  private func examine(_ members: RequestMembers, _ message: ClientMessage, _ messages: GraphQLMessages) {
    guard messages.hasBegun else { return endTunnel(.refused(.token(.tokenMissing))) }
    guard let rules = route?.graphQL else { return endTunnel(.routeWithdrawn) }
    let operation = operation ?? RequestedOperation()
    self.operation = operation
    guard let refusal = examine(members, of: message.json, rules, operation) else { return passMessage() }
    request.body.kept.removeAll()
    worker.counters.countError(refusal)
    var text = ByteQueue()
    text.append("{\"id\":")
    text.append(message.json.bytes.span.extracting(message.id))
    text.append(",\"type\":\"error\",\"payload\":")
    if messages.subscriptionProtocol == .transport { text.append("[") }
    GatewayAnswer.appendGraphQLError(refusal, requestID: request.id.text(), to: &text)
    if messages.subscriptionProtocol == .transport { text.append("]") }
    text.append("}")
    messages.answers.appendFrame(text: text.span, mask: nil)
    if messages.answers.count > GraphQLMessages.answerByteCountMax { return endTunnel(.refused(refusal)) }
    answerMessages()
  }

  /// Sends the message on, as one frame.
  private func passMessage() {
    var frame = ByteQueue()
    let mask = UInt32(truncatingIfNeeded: worker.randomIdentifiers.next())
    frame.appendFrame(text: request.body.kept.span, mask: mask)
    request.body.kept.removeAll()
    writeUpstream(frame.span)
  }

  // MARK: The token

  private func begin(_ token: [UInt8]?, _ messages: GraphQLMessages) {
    if messages.hasBegun { return endTunnel(.refused(.gateway(.graphQLRequestInvalid))) }
    guard let route, !route.isPublic, let token else {
      if caller == nil, requiresCaller { return endTunnel(.refused(.token(.tokenMissing))) }
      return pass(begin: messages)
    }
    messages.token = token
    obey(check(token.span, route), messages, route, mayAsk: true)
  }

  /// A question about the token has its answer, or new keys have come.
  func messageAnswered() {
    guard let messages = tunnel?.messages, let route else { return }
    let token = messages.token
    obey(check(token.span, route), messages, route, mayAsk: false)
    if downstream == nil || wait != nil { return }
    var rest = ByteQueue()
    swap(&rest, &messages.rest)
    examineMessages(rest.span, messages)
  }

  private func obey(_ verdict: Verdict, _ messages: GraphQLMessages, _ route: CompiledRoute, mayAsk: Bool) {
    switch verdict {
    case .caller(let found):
      // What the server was told of the first one must stay true.
      if let caller, caller.issuer != found.issuer || caller.subjectText != found.subjectText {
        return refuse(.claimMismatch, messages)
      }
      issuer = found.issuer
      switch finding(on: found, mayAsk: mayAsk) {
      case .good: break
      case .refused(let refusal): return refuse(refusal, messages)
      case .listUnknown(let uri):
        guard let issuer else { return refuse(.revocationUnavailable, messages) }
        return ask(.statusList(issuer: issuer), about: uri, messages)
      }
      if let refusal = refusalOfSender(inMessage: found, route) { return refuse(refusal, messages) }
      if let refusal = route.token.access.refusal(of: found) { return refuse(refusal, messages) }
      if !route.token.isInShadow(issuer) {
        caller = found
        countAuthentication(.accepted(found.kind))
        tunnel?.prove(found, on: route, at: worker.time)
        if let tunnel { downstream?.deadline = tunnel.deadline }
      }
      pass(begin: messages)
    case .refused(let refusal, let issuer, let subject):
      self.issuer = issuer
      answer.refusedSubject = subject
      refuse(refusal, messages)
    case .confirm(let caller):
      issuer = caller.issuer
      refuse(.introspectionUnavailable, messages)
    case .ask(let source):
      issuer = source.issuer
      guard mayAsk, case .keySet = source else { return refuse(source.refusalOfSilence, messages) }
      ask(source, about: [], messages)
    }
  }

  private func ask(_ source: Question.Source, about subject: [UInt8], _ messages: GraphQLMessages) {
    if let refusal = ask(source, about: subject.span) { refuse(refusal, messages) }
  }

  private func refuse(_ refusal: TokenRefusal, _ messages: GraphQLMessages) {
    if let route, route.token.isInShadow(issuer) {
      answer.shadowRefusal = .token(refusal)
      return pass(begin: messages)
    }
    countAuthentication(.refused(refusal))
    notice(refusal)
    endTunnel(.refused(.token(refusal)))
  }

  private func pass(begin messages: GraphQLMessages) {
    messages.hasBegun = true
    messages.token = []
    passMessage()
  }

  // MARK: To the client

  /// Puts what waits for the client between two messages of the server.
  func answerMessages() {
    guard let tunnel, let messages = tunnel.messages, !messages.answers.isEmpty, tunnel.isBetweenServerMessages else {
      return
    }
    var answers = ByteQueue()
    swap(&answers, &messages.answers)
    answer.byteCount &+= UInt64(answers.count)
    downstream?.writeBody(answers.span)
  }
}

extension Caller {
  fileprivate var subjectText: String? { subject.flatMap { claims.string(at: $0) } }
}

extension GatewayConfiguration {
  /// What documents of a route obey.
  func rules(of route: CompiledRoute?) -> GraphQLRules? {
    guard let index = route?.index, routes.indices.contains(index) else { return nil }
    return routes[index].graphQL
  }
}
