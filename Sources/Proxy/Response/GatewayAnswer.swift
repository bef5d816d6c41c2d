// What the gateway answers itself: refusals, fixed responses and redirects.

import Bytes
import Configuration
import HTTPWire

/// A whole response made here.
struct GatewayAnswer {
  var status: Int
  /// Complete field lines with their CRLFs. Date, Content-Length and Connection are added when it is written.
  var fieldLines: [UInt8] = []
  var body: [UInt8] = []
  /// A gRPC answer: its head is its trailers, and nothing follows.
  var isTrailersOnly = false
  /// What the route's `respond` or `redirect` says: its header rules count as for an upstream's answer.
  var isOfRoute = false

  /// RFC 9110 §15: no content and no Content-Length in these.
  var isBodyless: Bool { isTrailersOnly || status == 204 || status == 304 || status < 200 }

  var reason: String { reasonPhrase(of: status) }

  func hasContent(for method: Method) -> Bool { method != .head && !isBodyless && !body.isEmpty }
}

extension GatewayAnswer {
  /// - Parameter isTyped: the route's own lines have the Content-Type.
  init(_ response: FixedResponse, isTyped: Bool) {
    self.init(status: response.status, body: Array(response.body.utf8), isOfRoute: true)
    if !isBodyless, !isTyped { fieldLines = Array("Content-Type: \(response.contentType)\r\n".utf8) }
  }

  /// RFC 9110 §15.4. What `/*` matched and the query are appended. Both are in normal form and hold no CR or LF.
  /// - Parameter target: where the redirect leads, filled in.
  init(_ redirect: Redirect, to target: [UInt8], of request: borrowing ClientRequest, _ route: CompiledRoute) {
    var location = target
    if !request.match.rest.isEmpty, !redirect.template.contains(.rest) {
      if location.last == 0x2F { location.removeLast() }
      location.append(0x2F)
      location += request.target.bytes.span.extracting(request.match.rest).copied()
    }
    var query = ByteQueue()
    route.writeQuery(
      of: request.target, verified: request.tokenPosition, first: location.contains(0x3F) ? "&" : "?", into: &query)
    location += query.copied()
    self.init(
      status: redirect.status, fieldLines: Array("Location: ".utf8) + location + Array("\r\n".utf8), isOfRoute: true)
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
  case 415: "Unsupported Media Type"
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
