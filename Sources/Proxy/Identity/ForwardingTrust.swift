// Whose word on the client counts, and in which fields: those that proxies are said to write, in their own spelling.
// All others of the kind are their clients' own, which proxies pass on, and are removed (T37, T38, T78).

import Bytes
import Configuration
import HTTPWire

/// `trusted_proxies:`, prepared.
struct ForwardingTrust: Sendable {
  let proxies: [AddressRange]
  /// Fields of this kind, in any spelling: removed unless a trusted peer sends one that is believed.
  let fields: FieldNameSet
  /// Which of the two forms names the client. Both do, unless the file names one of them.
  let readsXForwardedFor: Bool
  let readsForwarded: Bool
  /// Whether proxies say what they took away in front of the path, in X-Forwarded-Prefix.
  let readsPrefix: Bool
  private let believed: [[UInt8]]

  private static let always = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"]

  init(_ configuration: GatewayConfiguration) {
    proxies = configuration.trustedProxies
    let named = configuration.trustedFields
    fields = FieldNameSet(PeerFields.overrides + PeerFields.forwarding + named)
    let namesList = named.contains("x-forwarded-for")
    let namesForwarded = named.contains("forwarded")
    readsXForwardedFor = namesList || !namesForwarded
    readsForwarded = namesForwarded || !namesList
    readsPrefix = named.contains("x-forwarded-prefix")
    believed = Set(Self.always + named).sorted().map { Array($0.utf8) }
  }

  /// Whether a field of a trusted peer counts, which is not so in another spelling: to CGI that is the same name.
  func believes(_ name: Span<UInt8>) -> Bool {
    for index in believed.indices where Self.isEqual(name, believed[index]) { return true }
    return false
  }

  private static func isEqual(_ name: Span<UInt8>, _ known: [UInt8]) -> Bool { equalsIgnoringCase(name, known.span) }
}
