// `websocket:` of a route: tunnels after a checked handshake (RFC 6455, RFC 8441).

extension Reading {
  func checkWebSocket(_ route: Route, section: Section) {
    if route.webSocket == nil { return }
    let position = section.keyPosition("websocket")
    if route.action.upstreams.isEmpty {
      error(position, "'websocket' requires an upstream, and this route has none: remove it")
      return
    }
    for index in route.action.upstreams where index < names.upstreams.names.count {
      let name = names.upstreams.names[index]
      guard names.protocols[name] == .http2 else { continue }
      error(
        position,
        "a WebSocket requires HTTP/1.1, and the upstream \(name.quoted) has 'protocol: http2': "
          + "write an upstream with protocol: http1")
    }
    if route.isTokenSentUnasked(apiKeys: names.apiKeySets), let cors = route.cors,
      let open = [CORS.Origin.any, .exact("null")].first(where: cors.origins.contains)
    {
      let name = if case .any = open { "*" } else { "null" }
      warn(
        section.keyPosition("cors"),
        "with the origin '\(name)' any page may open this WebSocket with its visitor's credentials: "
          + "list origins in 'cors'"
      )
    }
    if !route.methods.isEmpty, !route.methods.contains("GET") {
      error(section["methods"]?.position ?? position, "a WebSocket begins with GET: add GET to 'methods'")
    }
  }
}

extension ValueType where Value == WebSocket? {
  /// nil lets no WebSocket through.
  static let webSocket = ValueType.switched(WebSocket.settings)
}
