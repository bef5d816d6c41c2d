// How the gateway refuses a request: with a problem document (RFC 9457) or a page of the operator's.

import Bytes
import HTTPWire
import Tokens

extension GatewayAnswer {
  /// A page of the operator's, or a problem document.
  /// - Parameter status: in place of the refusal's.
  init(
    refusing request: borrowing ClientRequest, _ refusal: Refusal, as status: Int? = nil, _ route: CompiledRoute?,
    _ snapshot: Snapshot, _ operation: RequestedOperation? = nil
  ) {
    let status = status ?? refusal.status
    self.init(status: status)
    let record = refusal.record
    let lines =
      "Cache-Control: no-store\r\n" + ChallengeLines.lines(of: record.challenge, route, operation)
      + Self.extraLine(record.extraField, request, route, snapshot)
    let requestID = request.id.text()
    if let page = ErrorPage.page(for: refusal, as: status, of: request.head, route, snapshot) {
      // The page's text is the operator's: programs find the code here.
      fieldLines = Array((page.typeLine + "X-Error-Code: \(refusal.code)\r\n" + lines).utf8)
      body = page.body(status: status, code: refusal.code, requestID: requestID)
      return
    }
    if route?.graphQL != nil {
      let isLegacy = !request.head.takesGraphQLResponse
      if isLegacy, refusal.isOfDocument { self.status = 200 }
      let type = isLegacy ? "application/json" : "application/graphql-response+json"
      fieldLines = Array(("Content-Type: \(type)\r\n" + lines).utf8)
      body = Self.graphQLError(refusal, requestID: requestID)
      return
    }
    fieldLines = Array(("Content-Type: application/problem+json\r\n" + lines).utf8)
    // Every part is ours or was checked to be visible ASCII without quotes, so nothing needs escaping.
    let text =
      "{\"type\":\"about:blank\",\"title\":\"\(reason)\",\"status\":\(status),"
      + "\"code\":\"\(refusal.code)\",\"request_id\":\"\(requestID)\"}\n"
    body = Array(text.utf8)
  }

  private static func extraLine(
    _ field: ExtraField?, _ request: borrowing ClientRequest, _ route: CompiledRoute?, _ snapshot: Snapshot
  ) -> String {
    switch field {
    case nil: return ""
    case .retrySoon: return "Retry-After: 1\r\n"
    case .retryWithKeys: return "Retry-After: \(LookBudget.secondsWithoutKeys)\r\n"
    case .retryAfterMaintenance:
      return route?.maintenance.map { "Retry-After: \($0.retryAfterSeconds)\r\n" } ?? ""
    case .allow:
      var allowed = ByteQueue()
      snapshot.routeTable.appendAllow(of: request.match, to: &allowed)
      return "Allow: \(allowed.text())\r\n"
    case .webSocketVersion: return "Sec-WebSocket-Version: 13\r\n"
    case .allowGraphQL: return "Allow: GET, POST\r\n"
    case .allowPost: return "Allow: POST\r\n"
    }
  }
}
