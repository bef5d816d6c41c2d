// What a service is asked about a request, and what two requests must have in common to share its answer.
//
// Invariant (T113): the key of an answer holds the route and either all that the service is asked, or what the file
// names. A request that does not have a named value once is asked about for itself.

import Bytes
import Configuration
import HTTPWire
import JSON
import Tokens

extension Exchange {
  /// Bytes of a key in front of the question, where the key holds all of it.
  static func keyPrefixByteCount(of caller: Caller?) -> Int { 4 + (caller == nil ? 0 : 32) }

  /// - Returns: false where the answer is for this request only.
  func writeKey(of service: CompiledService, _ route: CompiledRoute, to key: inout ByteQueue) -> Bool {
    key.append(littleEndian: UInt32(truncatingIfNeeded: route.index))
    if service.keys.isEmpty {
      if let caller { key.append(caller.digest) }
      writeQuestion(to: service, route, into: &key)
      return true
    }
    for part in service.keys {
      if !write(part, route, to: &key) { return false }
    }
    return true
  }

  /// Each part behind its length, so that no two keys are alike by chance.
  private func write(_ part: AnswerCache.Key, _ route: CompiledRoute, to key: inout ByteQueue) -> Bool {
    let lengthPlace = key.count
    key.append(littleEndian: 0 as UInt32)
    var isThere = true
    switch part {
    case .caller: if let caller { key.append(caller.digest) } else { isThere = false }
    case .method: request.writeAskedMethod(to: &key)
    case .host: request.writeAskedHost(to: &key)
    case .path: request.writeAskedPath(to: &key)
    case .query: request.writeAskedQuery(route, to: &key)
    case .value(.claim(let path)):
      isThere = caller.map { Self.append(path, of: $0, to: &key) } ?? false
    case .value(.clientIP):
      if let address = clientAddress {
        key.append(littleEndian: address.high)
        key.append(littleEndian: address.low)
      } else {
        return false
      }
    case .value(let value):
      switch request.search(value) {
      case .ambiguous: return false
      case .found: request.appendSent(value, to: &key)
      case .empty: break
      case .missing: isThere = false
      }
    }
    let length = isThere ? UInt32(truncatingIfNeeded: key.count - lengthPlace - 4) : .max
    for byte in 0..<4 { key.replace(at: lengthPlace + byte, with: UInt8(truncatingIfNeeded: length >> (8 * byte))) }
    return true
  }

  /// A claim as it is written, behind whose it is: two issuers may say the same of two callers.
  private static func append(_ path: ClaimPath, of caller: Caller, to key: inout ByteQueue) -> Bool {
    let claims = caller.claims
    guard let claim = caller.claim(path) else { return false }
    if case .apiKey(let set, _) = caller.proof {
      key.append(littleEndian: UInt32(truncatingIfNeeded: ~set))
    } else {
      key.append(littleEndian: UInt32(truncatingIfNeeded: caller.issuer ?? 0))
    }
    if let issuer = claims.member("iss".utf8.span, of: claims.root) {
      key.append(claims.bytes.span.extracting(claims.rawRange(of: issuer)))
    }
    key.append(claims.bytes.span.extracting(claims.rawRange(of: claim)))
    return true
  }

  /// The head of the request to the service.
  func writeQuestion(to service: CompiledService, _ route: CompiledRoute, into head: inout ByteQueue) {
    head.append(service.headStart)
    head.append("X-Forwarded-Method: ")
    request.writeAskedMethod(to: &head)
    head.append(isClientSecure ? "\r\nX-Forwarded-Proto: https\r\n" : "\r\nX-Forwarded-Proto: http\r\n")
    if request.head.authority != nil {
      head.append("X-Forwarded-Host: ")
      request.writeAskedHost(to: &head)
      head.append("\r\n")
    }
    head.append("X-Forwarded-Uri: ")
    request.writeAskedPath(to: &head)
    request.writeAskedQuery(route, to: &head)
    head.append("\r\n")
    if let address = clientAddress, !address.isUnix {
      head.append("X-Forwarded-For: ")
      head.append(text: address.text)
      head.append("\r\n")
    }
    if let caller {
      route.identity.writeFields(of: caller, withToken: service.isAuthorizationAsked, into: &head)
    }
    if !route.certificateFields.isEmpty, let certificate = downstream?.client.security?.certificate {
      route.writeFields(of: certificate, into: &head)
    }
    if !service.askedFields.isEmpty { request.writeAskedFields(of: service, route, snapshot, into: &head) }
    head.append("\r\n")
  }
}

extension ClientRequest {
  fileprivate func writeAskedMethod(to head: inout ByteQueue) {
    // RFC 8441 §5: as the upstream gets it.
    if self.head.connectProtocol != nil {
      head.append("GET")
    } else {
      head.append(self.head.bytes.span.extracting(self.head.methodRange))
    }
  }

  fileprivate func writeAskedHost(to head: inout ByteQueue) {
    if let authority = self.head.authority { head.append(self.head.bytes.span.extracting(authority)) }
  }

  /// The path that is forwarded, before it is rewritten.
  fileprivate func writeAskedPath(to head: inout ByteQueue) {
    if self.head.targetForm == .asterisk {
      head.append("*")
    } else if target.oddities.contains(.emptySegments) {
      let path = self.head.bytes.span.extracting(self.head.pathAndQueryRange)
      head.append(path.extracting(0..<(path.firstIndex(of: UInt8(ascii: "?")) ?? path.count)))
    } else {
      head.append(target.bytes.span.extracting(0..<target.pathCount))
    }
  }

  /// The query, without a token.
  fileprivate func writeAskedQuery(_ route: CompiledRoute, to head: inout ByteQueue) {
    route.writeQuery(of: target, verified: tokenPosition, first: "?", into: &head)
  }

  fileprivate func search(_ value: RequestValue) -> ValueSearch {
    switch value {
    case .cookie(let name): head.search(cookie: name.utf8.span)
    case .header(let name): head.search(header: name.utf8.span)
    case .query(let name): target.search(query: name.utf8.span)
    case .clientIP, .claim, .tls: .missing
    }
  }

  /// The lines of the fields that the service gets. Of cookies those that a server would get.
  fileprivate func writeAskedFields(
    of service: CompiledService, _ route: CompiledRoute, _ snapshot: Snapshot, into lines: inout ByteQueue
  ) {
    let sent = head.bytes.span
    for index in head.fields.indices {
      let field = head.fields[index]
      if field.isHopByHop { continue }
      if field.known == .cookie {
        if service.isCookieAsked {
          route.writeCutCookie(
            field, of: sent, verified: tokenPosition, butSticky: nil, snapshot, into: &lines)
        }
        continue
      }
      let name = sent.extracting(field.name)
      for asked in service.askedFields where asked.count == name.count {
        if equalsIgnoringCase(name, asked.span) { lines.append(sent.extracting(field.line)) }
      }
    }
  }
}
