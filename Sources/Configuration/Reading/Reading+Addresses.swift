// `host:port`, `[v6]:port`, `unix:/path` and CIDR blocks.

extension Reading {
  /// Where to listen: an IP literal and a port, 0 for a free one, or a Unix socket.
  /// - Parameter usualPort: for the advice.
  func listenAddress(_ node: SourceNode, _ what: String, usualPort: Int = 8080) -> Address? {
    guard let address = address(node, what, ports: 0...65_535, usualPort: usualPort) else { return nil }
    if case .network(let host, let port) = address, IPAddress(host) == nil {
      let port = "\(port)".shown
      let advice = host == "localhost" ? "127.0.0.1:\(port)" : "0.0.0.0:\(port) for every interface"
      error(node.position, "\(what) must be an IP address with a port, not a name: write \(advice)")
      return nil
    }
    return address
  }

  /// Where a server is: an IP literal or a name, and a port, or a Unix socket.
  func serverAddress(_ node: SourceNode, _ what: String, usualPort: Int = 8080) -> Address? {
    address(node, what, ports: 1...65_535, usualPort: usualPort)
  }

  private func address(_ node: SourceNode, _ what: String, ports: ClosedRange<Int>, usualPort: Int) -> Address? {
    guard let text = line(node, what) else { return nil }
    // To listen at, an address may have port 0 or stand for every interface. A server's may not.
    let isServer = ports.lowerBound > 0
    let usualHost = isServer ? "127.0.0.1" : "0.0.0.0"
    if text.hasPrefix(Address.unixPrefix) {
      return unixAddress(String(text.dropFirst(Address.unixPrefix.count)), at: node.position, what)
    }
    if let url = ForeignURL(text) {
      let advice =
        "write \(url.address.shown)" + (url.isSecure && isServer ? ", and tls: {} beside 'servers'" : "")
      error(
        node.position,
        "\(what) must be host:port without a scheme or a path, not \(text.withoutURLSecrets.quoted): \(advice)")
      return nil
    }
    if text.hasPrefix("$") {
      error(node.position, "\(what) has no valid host in \(text.quoted): a variable is written ${NAME}")
      return nil
    }
    let usual = (host: usualHost, port: usualPort)
    guard let (host, portText) = split(text, at: node.position, what, usual) else { return nil }
    guard let port = decimal(portText), ports.contains(port), let port = UInt16(exactly: port) else {
      error(
        node.position,
        "\(what) has no port from \(ports.lowerBound) to \(ports.upperBound) in \(text.quoted): write host:port")
      return nil
    }
    if text.hasPrefix("[") {
      guard let literal = IPAddress(host), !literal.isIPv4 else {
        error(node.position, "\(what) has no valid IPv6 address in brackets: \(text.quoted)")
        return nil
      }
    } else if host.isEmpty || host == "*" {
      let advice =
        isServer
        ? "\("127.0.0.1:\(port)".shown) for this machine"
        : "\("0.0.0.0:\(port)".shown) for every IPv4 address, \("[::]:\(port)".shown) for every IPv6 one"
      error(node.position, "\(what) has no host in \(text.quoted): write \(advice)")
      return nil
    } else if IPAddress(host) == nil, let problem = hostNameProblem(host) {
      error(node.position, "\(what) has no valid host in \(text.quoted): \(problem)")
      return nil
    }
    return Address(host: host, port: port)
  }

  private func unixAddress(_ path: String, at position: SourcePosition, _ what: String) -> Address? {
    let isFile = path.hasPrefix("/") && !path.hasPrefix("//") && !path.hasSuffix("/")
    guard isFile else {
      let body = path.drop { $0 == "/" }
      let name = body.hasSuffix("/") || body.isEmpty ? body + "gateway.sock" : body
      error(
        position,
        "\(what) requires the absolute path of a socket, not \((Address.unixPrefix + path).quoted): "
          + "write \("unix:/\(name)".shown)"
      )
      return nil
    }
    // What the system takes as a socket's path, with the zero behind it.
    if path.utf8.count > Address.unixPathBytesMax {
      error(
        position,
        "\(what) has a path of \(path.utf8.count) bytes, and sockets allow at most \(Address.unixPathBytesMax): "
          + "write a shorter one")
      return nil
    }
    return .unix(path: path)
  }

  /// A name or an address as a Host field has it, with a port or without.
  func authority(_ text: String, at position: SourcePosition, _ what: String) -> String? {
    let isBracketed = text.hasPrefix("[")
    let colons = text.count { $0 == ":" }
    var host = text[...]
    var isPortGood = true
    if isBracketed ? !text.hasSuffix("]") : colons == 1, let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      isPortGood = decimal(String(text[text.index(after: colon)...])).map { (1...65_535).contains($0) } ?? false
    }
    let problem: String? =
      if text.contains("/") {
        "it has neither a scheme nor a path"
      } else if !isPortGood {
        "a port is from 1 to 65535"
      } else if isBracketed {
        IPAddress(String(host.dropFirst().dropLast())).map { !$0.isIPv4 && host.hasSuffix("]") } ?? false
          ? nil : "in brackets is an IPv6 address"
      } else if colons > 1 {
        "an IPv6 address is in brackets"
      } else if IPAddress(String(host)) == nil {
        hostNameProblem(String(host))
      } else {
        nil
      }
    guard let problem else { return text }
    error(position, "\(what) must be client, server or a name, with a port or without, not \(text.quoted): \(problem)")
    return nil
  }

  private func split(
    _ text: String, at position: SourcePosition, _ what: String, _ usual: (host: String, port: Int)
  ) -> (host: String, port: String)? {
    if text.hasPrefix("[") {
      guard let close = text.firstIndex(of: "]") else {
        error(position, "\(what) has '[' without ']' in \(text.quoted): write [::1]:port")
        return nil
      }
      let rest = text[text.index(after: close)...]
      guard rest.hasPrefix(":") else {
        error(position, "\(what) has no port in \(text.quoted): write \("\(text[...close]):\(usual.port)".shown)")
        return nil
      }
      return (String(text[text.index(after: text.startIndex)..<close]), String(rest.dropFirst()))
    }
    guard let colon = text.lastIndex(of: ":") else {
      let advice = (decimal(text) == nil ? "\(text):\(usual.port)" : "\(usual.host):\(text)").shown
      error(position, "\(what) must be host:port, not \(text.quoted): write \(advice)")
      return nil
    }
    let host = text[..<colon]
    if host.contains(":") {
      let port = text[text.index(after: colon)...]
      let advice = IPAddress(String(host)) == nil ? "[\(text)]:\(usual.port)" : "[\(host)]:\(port)"
      error(position, "\(what) contains an IPv6 address without brackets: write \(advice.shown)")
      return nil
    }
    return (String(host), String(text[text.index(after: colon)...]))
  }

  /// A CIDR block or a single address.
  func addressRange(_ node: SourceNode, _ what: String) -> AddressRange? {
    line(node, what).flatMap { addressRange($0, what, at: node.position) }
  }

  func addressRange(_ text: String, _ what: String, at position: SourcePosition) -> AddressRange? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let address = IPAddress(String(parts[0])) else {
      error(position, "\(what) must be an address or a block such as 10.0.0.0/8 or fd00::/8, not \(text.quoted)")
      return nil
    }
    let bits = address.isIPv4 ? 32 : 128
    var length = bits
    if parts.count == 2 {
      guard let value = decimal(String(parts[1])), (0...bits).contains(value) else {
        error(position, "\(what) has no prefix length from 0 to \(bits) in \(text.quoted)")
        return nil
      }
      length = value
    }
    let mapped = address.isIPv4 ? length + 96 : length
    let highMask = mapped == 0 ? 0 : UInt64.max << UInt64(64 - min(mapped, 64))
    let lowMask = mapped <= 64 ? 0 : UInt64.max << UInt64(128 - mapped)
    if address.high & ~highMask != 0 || address.low & ~lowMask != 0 {
      error(
        position,
        "\(text.quoted) has bits set beyond its prefix length: write the block's first address, or a longer prefix")
      return nil
    }
    return AddressRange(high: address.high, low: address.low, prefixLength: mapped)
  }
}

/// What is wrong with a host name (RFC 1123 §2.1, and `_`, which service names hold), or nil.
func hostNameProblem(_ name: String) -> String? {
  let bytes = name.utf8.span
  if bytes.count > 253 { return "a name has at most 253 characters" }
  let (dot, hyphen) = (UInt8(ascii: "."), UInt8(ascii: "-"))
  if bytes.allSatisfy({ (0x30...0x39).contains($0) || $0 == dot }) { return "it is neither a name nor an IPv4 address" }
  var start = 0
  while start <= bytes.count {
    var end = start
    while end < bytes.count, bytes[end] != dot { end += 1 }
    if end == start { return "it has two dots in a row, or a dot at an end" }
    if end - start > 63 { return "a part of a name has at most 63 characters" }
    if bytes[start] == hyphen || bytes[end - 1] == hyphen {
      return "a part of a name neither begins nor ends with '-'"
    }
    let label = bytes.extracting(start..<end)
    if !label.allSatisfy({ $0.isAlphanumeric || $0 == hyphen || $0 == UInt8(ascii: "_") }) {
      return "a name has letters, digits, '-' and '.' only"
    }
    start = end + 1
  }
  return nil
}

extension ValueType where Value == Address {
  /// Where to listen.
  static func listenAddress(_ words: String) -> ValueType {
    ValueType(.text(words)) { node, reading, what in reading.listenAddress(node, what) }
  }

  static let serverAddress = ValueType(.text("address")) { node, reading, what in reading.serverAddress(node, what) }
}
