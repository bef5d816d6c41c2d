// `introspection` of an issuer, prepared.

import Bytes
import Configuration
import Tokens

final class CompiledIntrospection: Sendable {
  let issuerName: String
  let counterID: Int
  /// An index into the configuration's upstreams.
  let upstream: Int
  let upstreamName: String
  /// Request line and fields, up to the number of bytes of the form.
  private let headStart: [UInt8]
  let cacheSeconds: Int64
  let refusalNanoseconds: Int64
  let timeout: Int64
  let concurrency: Int

  init?(_ issuer: Issuer, counterID: Int, in configuration: GatewayConfiguration) {
    guard let rules = issuer.introspection, configuration.upstreams.indices.contains(rules.upstream) else { return nil }
    let server = configuration.upstreams[rules.upstream]
    issuerName = issuer.name
    self.counterID = counterID
    upstream = rules.upstream
    upstreamName = server.name
    // Each half is encoded as in a form, so that a colon in one is no border (RFC 6749 §2.3.1).
    var pair = ByteQueue()
    pair.append(formValue: rules.clientID.utf8.span)
    pair.append(":")
    pair.append(formValue: rules.clientSecret.utf8.span)
    headStart =
      Array("POST \(rules.target) HTTP/1.1\r\nHost: \(server.servers.first?.authority ?? "localhost")\r\n".utf8)
      + Array("Authorization: Basic ".utf8) + Self.base64(pair.span)
      + Array("\r\nAccept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n".utf8)
    cacheSeconds = rules.cache.nanoseconds / 1_000_000_000
    refusalNanoseconds = rules.refusals.nanoseconds
    timeout = rules.timeout.nanoseconds
    concurrency = rules.concurrency
  }

  /// The request about a token.
  func question(about token: Span<UInt8>) -> (head: [UInt8], body: [UInt8]) {
    var body = ByteQueue()
    body.append("token=")
    body.append(formValue: token)
    body.append("&token_type_hint=access_token")
    let head = headStart + Array("Content-Length: \(body.count)\r\n\r\n".utf8)
    return (head, body.copied())
  }

  /// Base64 with padding (RFC 4648 §4), as Authorization has it.
  private static func base64(_ bytes: Span<UInt8>) -> [UInt8] {
    let text = Base64URL.encode(bytes).map { byte in
      byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
    }
    return text + Array(repeating: UInt8(ascii: "="), count: (4 - text.count % 4) % 4)
  }
}

extension ByteQueue {
  /// As a form has it (application/x-www-form-urlencoded): all but what RFC 3986 §2.3 calls unreserved is encoded.
  fileprivate mutating func append(formValue text: Span<UInt8>) {
    for index in text.indices {
      let byte = text[index]
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        append(byte)
      default:
        append("%")
        append(Self.digit(byte >> 4))
        append(Self.digit(byte & 15))
      }
    }
  }

  private static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x37 + nibble }
}
