// `POST /explain`: what becomes of a request with the configuration and the keys of this moment, and why. The request
// takes place nowhere else: no worker, no counter and no log sees it, and its token is kept nowhere.

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
    let explanation = Explanation(
      asked.request, token: asked.token, in: await gateway.configuration, keySets: await gateway.registry.snapshot(),
      revocations: await gateway.revocations.snapshot(),
      buckets: LiveBuckets(await gateway.snapshot.rateLimiters, nanoseconds: Clock.steadyNanoseconds()),
      unixSeconds: unixSeconds)
    let takesText = request.fields.contains {
      $0.name.lowercased() == "accept" && $0.value.lowercased().hasPrefix("text/plain")
    }
    var response = takesText ? SmallResponse.text(explanation.text()) : .json(Array(explanation.json.utf8))
    response.fields += [("Cache-Control", "no-store")]
    return response
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
