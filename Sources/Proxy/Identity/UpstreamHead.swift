// The request as the upstream gets it, and its parts that are simple. The others are in files of their own.

import Bytes
import HTTPWire

/// Request line and fields. Complete once the identity stage is over.
struct UpstreamHead: ~Copyable {
  var bytes = ByteQueue()
  /// Where the fields begin that are written again for each attempt: the server's own name and the remaining time. 0
  /// without such.
  var attemptStart = 0
  /// Whether the Host is among them.
  var isHostOfServer = false
  /// Path and query of `Destination`, which is among them. Empty without one that is mapped.
  var destination: [UInt8] = []

  mutating func reset() {
    bytes.removeAll()
    if bytes.allocatedByteCount > Exchange.keptByteCount { bytes.releaseStorage() }
    attemptStart = 0
    isHostOfServer = false
    if !destination.isEmpty { destination = [] }
  }

  /// Begins the head that is made of a client's.
  @inline(__always)
  mutating func begin(_ head: borrowing RequestHead) {
    bytes.removeAll()
    bytes.reserve(head.bytes.count + 512)
    // RFC 8441 §5: what CONNECT asks for in HTTP/2 is a GET with Upgrade in HTTP/1.1.
    if head.connectProtocol != nil {
      bytes.append("GET")
    } else {
      bytes.append(head.bytes.span.extracting(head.methodRange))
    }
    bytes.append(" ")
  }

  /// The client's own authority, unless the upstream has another one: it may serve several names.
  @inline(__always)
  mutating func writeHost(of head: borrowing RequestHead, for pool: UpstreamPool?) {
    if let pool, pool.hasOwnHost {
      isHostOfServer = pool.host.isEmpty
      if !isHostOfServer { writeHost(pool.host) }
      return
    }
    bytes.append("Host: ")
    writeAuthority(of: head, or: pool)
    bytes.append("\r\n")
  }

  @inline(__always)
  mutating func writeAuthority(of head: borrowing RequestHead, or pool: UpstreamPool?) {
    if let authority = head.authority {
      bytes.append(head.bytes.span.extracting(authority))
    } else if let pool {
      bytes.append(pool.defaultHost)
    }
  }

  mutating func writeHost(_ authority: [UInt8]) {
    bytes.append("Host: ")
    bytes.append(authority)
    bytes.append("\r\n")
  }

  @inline(__always)
  mutating func writeVia(_ version: Version) {
    bytes.append("Via: ")
    bytes.append(version.number)
    bytes.append(" catraca\r\n")
  }

  /// Copies what may pass, neighbouring lines as one run.
  @inline(__always)
  mutating func writeKeptFields(
    of request: borrowing ClientRequest, _ filter: FieldFilter, _ route: CompiledRoute, _ snapshot: Snapshot
  ) {
    let sent = request.head.bytes.span
    let count = request.head.fields.count
    var first = 0
    for index in 0..<count {
      let field = request.head.fields[index]
      if filter.keeps(field, named: sent.extracting(field.name), of: request, route, snapshot) { continue }
      if first < index { copy(first..<index, of: request.head) }
      first = index + 1
      if field.known == .cookie, filter.isCookieCut(route) {
        route.writeCutCookie(
          field, of: sent, verified: request.tokenPosition, butSticky: filter.stickyName, snapshot, into: &bytes)
      }
      if field.known == .referer, snapshot.isRefererCut {
        route.writeCutReferer(field, of: sent, snapshot, into: &bytes)
      }
    }
    if first < count { copy(first..<count, of: request.head) }
  }

  @inline(__always)
  private mutating func copy(_ fields: Range<Int>, of head: borrowing RequestHead) {
    let start = head.fields[fields.lowerBound].line.lowerBound
    let end = head.fields[fields.upperBound - 1].line.upperBound
    bytes.append(head.bytes.span.extracting(start..<end))
  }
}
