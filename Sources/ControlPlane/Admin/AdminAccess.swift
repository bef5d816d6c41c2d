// Who may ask the admin listener. A browser on the operator's machine asks for whatever page it shows, so a request
// counts only when it cannot have come from somebody else's page (T81).

import Bytes
import Configuration
import Cryptography
import FoundationEssentials
import NIOCore

/// Why a request was not answered. The raw value is the stable code.
enum AdminRefusal: String {
  /// A page elsewhere, whose name was made to lead here (DNS rebinding).
  case hostNotAllowed = "host_not_allowed"
  /// A page elsewhere sends this.
  case originNotAllowed = "origin_not_allowed"
  case tokenMissing = "token_missing"
  case tokenInvalid = "token_invalid"

  var response: SmallResponse {
    switch self {
    case .hostNotAllowed:
      refusal(403, "ask by an IP address or as localhost, or name the host in admin.hosts")
    case .originNotAllowed:
      refusal(403, "the request came from another site's page")
    case .tokenMissing, .tokenInvalid:
      refusal(401, "send Authorization: Bearer with admin.token, or that as the password of Basic")
    }
  }

  private func refusal(_ status: Int, _ advice: String) -> SmallResponse {
    var response = SmallResponse.text("\(rawValue): \(advice)\n", status: status)
    response.fields += [("X-Error-Code", rawValue), ("Cache-Control", "no-store")]
    // Basic is what a browser can ask its user for. It then shows the status page and its data.
    if status == 401 {
      response.fields += [
        ("WWW-Authenticate", "Basic realm=\"catraca admin\", charset=\"UTF-8\""),
        ("WWW-Authenticate", "Bearer realm=\"catraca admin\""),
      ]
    }
    return response
  }
}

extension Admin {
  /// nil when the request may be answered.
  /// - Parameter isOpen: whether the page is for everyone who reaches it, token or not.
  func refusal(of request: SmallRequest, isOpen: Bool) -> AdminRefusal? {
    let asked = request.values(of: "host")
    // Browsers always say one. Probes of old may not.
    if !asked.allSatisfy(isOwn) { return .hostNotAllowed }
    if request.method != "GET", request.method != "HEAD", !isOwnPage(request, host: asked.first) {
      return .originNotAllowed
    }
    guard let token, !isOpen else { return nil }
    let credentials = request.values(of: "authorization")
    guard let shown = credentials.first else { return .tokenMissing }
    return credentials.count == 1 && Self.isShown(token, in: shown) ? nil : .tokenInvalid
  }

  private func isOwn(_ host: String) -> Bool {
    let name = Self.name(in: host).lowercased()
    let literal = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
    return name == "localhost" || hosts.contains(name) || (try? SocketAddress(ipAddress: literal, port: 0)) != nil
  }

  /// A Host value without its port, and without the dot that may end a name.
  private static func name(in host: String) -> Substring {
    let end = host.lastIndex(of: ":") ?? host.endIndex
    let isPort = !host[end...].contains("]") && host[end...].dropFirst().allSatisfy(\.isNumber)
    let name = isPort ? host[..<end] : host[...]
    return name.hasSuffix(".") ? name.dropLast() : name
  }

  /// Whether no page sent this, or one of our own: what browsers say of it (Fetch Metadata, RFC 6454 §7).
  private func isOwnPage(_ request: SmallRequest, host: String?) -> Bool {
    let own = host.map { [$0.lowercased()] } ?? []
    let origins = request.values(of: "origin").map { $0.lowercased() }
    return request.values(of: "sec-fetch-site").allSatisfy { ["same-origin", "none"].contains($0) }
      && origins.allSatisfy { origin in own.contains { origin == "http://" + $0 || origin == "https://" + $0 } }
  }

  /// `Bearer TOKEN`, or `Basic` with any name and the token as the password (RFC 6750 §2.1, RFC 7617 §2).
  private static func isShown(_ token: String, in credentials: String) -> Bool {
    let parts = credentials.split(separator: " ", maxSplits: 1)
    guard parts.count == 2 else { return false }
    let value = parts[1].drop { $0 == " " }
    switch parts[0].lowercased() {
    case "bearer": return isEqual(Array(value.utf8), token)
    case "basic":
      guard let pair = Data(base64Encoded: String(value)), let colon = pair.firstIndex(of: UInt8(ascii: ":")) else {
        return false
      }
      return isEqual(Array(pair[pair.index(after: colon)...]), token)
    default: return false
    }
  }

  private static func isEqual(_ shown: [UInt8], _ token: String) -> Bool {
    ConstantTime.areEqual(shown.span, Array(token.utf8).span)
  }
}

extension SmallRequest {
  fileprivate func values(of name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name }.map(\.value)
  }
}
