// What the gateway answers itself: refusals as problem+json (RFC 9457), fixed responses and redirects.

import Bytes
import Configuration
import HTTPWire
import Tokens

/// A whole response made here.
struct GatewayAnswer {
  var status: Int
  /// Complete field lines with their CRLFs. Date, Content-Length and Connection are added when it is written.
  var fieldLines: [UInt8] = []
  var body: [UInt8] = []
  /// A gRPC answer: its head is its trailers, and nothing follows.
  var isTrailersOnly = false

  /// RFC 9110 §15: no content and no Content-Length in these.
  var isBodyless: Bool { isTrailersOnly || status == 204 || status == 304 || status < 200 }

  var reason: String { reasonPhrase(of: status) }
}

extension Exchange {
  /// Writes an answer and ends the exchange.
  func send(_ answer: GatewayAnswer) {
    guard let downstream else { return }
    self.answer.hasBegun = true
    self.answer.isComplete = true
    self.answer.status = answer.status
    if hasContent(answer) { self.answer.byteCount = UInt64(answer.body.count) }
    downstream.write(answer, of: self)
    finish(.complete)
  }

  /// A page of the operator's, or a problem document.
  func refusalAnswer(for refusal: Refusal) -> GatewayAnswer {
    request.ensureID(from: &worker.randomIdentifiers)
    var answer = GatewayAnswer(status: refusal.status)
    if let page = errorPage(for: refusal) {
      // The page's text is the operator's: programs find the code here.
      let lines = page.typeLine + "X-Error-Code: \(refusal.code)\r\n" + refusalLines(for: refusal)
      answer.fieldLines = Array(lines.utf8)
      answer.body = page.body(status: answer.status, code: refusal.code, requestID: request.id.text())
      return answer
    }
    answer.fieldLines = Array(("Content-Type: application/problem+json\r\n" + refusalLines(for: refusal)).utf8)
    // Every part is ours or was checked to be visible ASCII without quotes, so nothing needs escaping.
    let text =
      "{\"type\":\"about:blank\",\"title\":\"\(answer.reason)\",\"status\":\(answer.status),"
      + "\"code\":\"\(refusal.code)\",\"request_id\":\"\(request.id.text())\"}\n"
    answer.body = Array(text.utf8)
    return answer
  }

  /// What a refusal says besides, whatever its body.
  private func refusalLines(for refusal: Refusal) -> String {
    let record = refusal.record
    return "Cache-Control: no-store\r\n" + challengeLine(record.challenge) + extraLine(record.extraField)
  }

  private func challengeLine(_ challenge: Challenge) -> String {
    let bearer = "WWW-Authenticate: Bearer realm=\"catraca\""
    return switch challenge {
    case .none: ""
    case .bearer: bearer + "\r\n"
    case .invalidToken: bearer + ", error=\"invalid_token\"\r\n"
    case .insufficientScope: bearer + ", error=\"insufficient_scope\"\r\n"
    case .insufficientScopeOfRoute:
      bearer + ", error=\"insufficient_scope\"" + (route.map { ", scope=\"\($0.scopeText)\"" } ?? "") + "\r\n"
    }
  }

  private func extraLine(_ field: ExtraField?) -> String {
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
    }
  }

  func fixedAnswer(_ response: FixedResponse) -> GatewayAnswer {
    var answer = GatewayAnswer(status: response.status, body: Array(response.body.utf8))
    if !answer.isBodyless, route?.isTypeRuled != true {
      answer.fieldLines = Array("Content-Type: \(response.contentType)\r\n".utf8)
    }
    if let route { answer.fieldLines += ruledLines(of: route) }
    return answer
  }

  /// The lines that the route's `response_headers` write.
  private func ruledLines(of route: CompiledRoute) -> [UInt8] {
    if route.responseTemplates.isEmpty { return route.responseLines }
    var lines = ByteQueue()
    fill(route.responseTemplates, route, into: &lines)
    return route.responseLines + lines.copied()
  }

  func redirectOutcome(_ redirect: Redirect) -> StageOutcome {
    // An HTTP/1.0 request may say no host.
    if redirect.template.contains(.host), request.head.authority == nil { return .refuse(.head(.hostMissing)) }
    guard let answer = redirectAnswer(redirect) else { return .refuse(.gateway(.pathNotNormal)) }
    return .answer(answer)
  }

  /// RFC 9110 §15.4. What `/*` matched and the query are appended. Both are in normal form and hold no CR or LF.
  private func redirectAnswer(_ redirect: Redirect) -> GatewayAnswer? {
    var location = Array(redirect.to.utf8)
    var isRestPlaced = false
    if let route, !redirect.template.isEmpty {
      var filled = ByteQueue()
      if !fill(redirect.template, route, in: .url, into: &filled) { return nil }
      location = filled.copied()
      isRestPlaced = redirect.template.contains(.rest)
    }
    if !request.match.rest.isEmpty, !isRestPlaced {
      if location.last == 0x2F { location.removeLast() }
      location.append(0x2F)
      appendRest(request.target.bytes.span, to: &location)
    }
    if let route {
      var query = ByteQueue()
      route.writeQuery(
        of: request.target, verified: request.tokenPosition, first: location.contains(0x3F) ? "&" : "?", into: &query)
      location += query.copied()
    }
    var answer = GatewayAnswer(status: redirect.status)
    answer.fieldLines = Array("Location: ".utf8) + location + Array("\r\n".utf8)
    if let route { answer.fieldLines += ruledLines(of: route) }
    return answer
  }
}

extension Exchange {
  private func appendRest(_ bytes: Span<UInt8>, to location: inout [UInt8]) {
    location += bytes.extracting(request.match.rest).copied()
  }
}

/// The registered phrase of a status code (RFC 9110 §15), or an empty one.
func reasonPhrase(of status: Int) -> String {
  switch status {
  case 200: "OK"
  case 201: "Created"
  case 202: "Accepted"
  case 204: "No Content"
  case 301: "Moved Permanently"
  case 302: "Found"
  case 303: "See Other"
  case 307: "Temporary Redirect"
  case 308: "Permanent Redirect"
  case 400: "Bad Request"
  case 401: "Unauthorized"
  case 403: "Forbidden"
  case 404: "Not Found"
  case 405: "Method Not Allowed"
  case 408: "Request Timeout"
  case 410: "Gone"
  case 413: "Content Too Large"
  case 414: "URI Too Long"
  case 417: "Expectation Failed"
  case 418: "I'm a teapot"
  case 429: "Too Many Requests"
  case 431: "Request Header Fields Too Large"
  case 451: "Unavailable For Legal Reasons"
  case 500: "Internal Server Error"
  case 501: "Not Implemented"
  case 502: "Bad Gateway"
  case 503: "Service Unavailable"
  case 504: "Gateway Timeout"
  case 505: "HTTP Version Not Supported"
  default: ""
  }
}
