// `POST /explain`: what becomes of a request with the configuration, the keys and the lists of sessions of this moment,
// and why. No worker, no counter and no log sees the request, and its token is kept nowhere. Whose an opaque token is
// that no worker remembers, its issuer is asked.

import Configuration
import JSON
import Proxy
import Rehearsal
import Tokens
import Transport

extension AdminServer {
  /// The body is an object with `request`, and with `token`, `headers` and `from` where there are such.
  static func explain(_ request: SmallRequest, _ gateway: RunningGateway, unixSeconds: Int64) async -> SmallResponse {
    guard let asked = AskedExplanation(request.body) else {
      return .text(
        "expected JSON such as {\"request\": \"GET https://api.example.com/orders/1\", \"token\": \"...\", "
          + "\"headers\": {\"X-Beta\": \"1\"}, \"from\": \"192.0.2.1\"}\n", status: 400)
    }
    let explanation = await gateway.explanation(of: asked.request, token: asked.token, unixSeconds: unixSeconds)
    let takesText = request.fields.contains {
      $0.name.lowercased() == "accept" && $0.value.lowercased().hasPrefix("text/plain")
    }
    var response = takesText ? SmallResponse.text(explanation.text()) : .json(Array(explanation.json.utf8))
    response.fields += [("Cache-Control", "no-store")]
    return response
  }
}

extension RunningGateway {
  fileprivate func explanation(
    of request: RehearsedRequest, token: String?, unixSeconds: Int64
  ) async -> Explanation {
    let (configuration, snapshot) = (configuration, snapshot)
    let keySets = await registry.snapshot()
    let revocations = await revocations.snapshot()
    let (answers, route) = await Explanation.answers(
      to: request, token: token, in: configuration, keySets: keySets, revocations: revocations,
      unixSeconds: unixSeconds
    ) { await self.answer(to: $0, configuration, generation: snapshot.generation) }
    return Explanation(
      request, token: token, in: configuration, keySets: keySets, revocations: revocations, answers: answers,
      buckets: LiveBuckets(snapshot.rateLimiters, ofRoute: route, nanoseconds: Clock.steadyNanoseconds()),
      unixSeconds: unixSeconds)
  }

  private func answer(
    to question: OpenQuestion, _ configuration: GatewayConfiguration, generation: UInt64
  ) async -> (answer: Answer, origin: String) {
    switch question {
    case .token(let issuer, let token):
      let (answer, isRemembered) = await gateway.word(of: issuer, about: token, generation: generation)
      return (answer, isRemembered ? "as a worker remembers" : "asked just now")
    case .session(let index, let digest):
      let rules = configuration.sessions[index]
      let place = rules.store == .memory ? "in memory" : "in Redis"
      do throws(SessionListUnavailable) {
        let statement = try await sessions.list(of: rules.name).statement(of: digest, session: rules.name)
        return (statement.map { .session($0) } ?? .refused(.sessionExpired), place)
      } catch {
        return (.refused(.sessionStoreUnavailable), place)
      }
    }
  }
}

private struct AskedExplanation {
  let request: RehearsedRequest
  let token: String?

  /// Nil for anything else, and for what cannot be sent.
  init?(_ body: [UInt8]) {
    guard let document = try? JSONDocument(body), document.kind(document.root) == .object else { return nil }
    func text(_ name: String) -> String? {
      document.member(name, of: document.root).flatMap { document.string(at: $0) }
    }
    guard let url = text("request"), case .success(let parsed) = TestRequest.parse(url) else { return nil }
    var request = RehearsedRequest(parsed)
    if let client = text("from") {
      guard RehearsedRequest.isAddress(client) else { return nil }
      request.client = client
    }
    if let headers = document.member("headers", of: document.root) {
      guard document.kind(headers) == .object else { return nil }
      for (name, value) in document.members(of: headers) {
        guard let name = document.string(at: name), let value = document.string(at: value),
          let field = TestField(line: "\(name): \(value)")
        else { return nil }
        request.fields.append(field)
      }
    }
    request.body = text("body") ?? ""
    if let token = text("token") {
      // As a field has it: nothing that ends a line.
      guard TestField(line: "Authorization: Bearer \(token)") != nil else { return nil }
      self.token = token
    } else {
      token = nil
    }
    self.request = request
  }
}
