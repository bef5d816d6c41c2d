// Which certificates a server shows for which name: the exact name, then a wildcard of one label, then the first.
// Invariant: a group has one certificate at most for each type of key, and group 0 is the default.

internal import COpenSSL

struct ServerNames: Sendable {
  /// Indices of certificates.
  private(set) var groups: [[Int]] = []
  private var exact: [String: Int] = [:]
  /// By what follows the asterisk, with its dot.
  private var wildcards: [String: Int] = [:]

  init(_ certificates: [CertificateInfo]) {
    var order: [String] = []
    var members: [String: [Int]] = [:]
    for (index, certificate) in certificates.enumerated() {
      for name in certificate.names {
        if members[name] == nil { order.append(name) }
        let others = members[name, default: []]
        let type = Self.type(of: certificate)
        // The first of a type represents its names.
        if !others.contains(where: { Self.type(of: certificates[$0]) == type }) { members[name] = others + [index] }
      }
    }
    let first = certificates.first?.names.first
    groups.append(first.flatMap { members[$0] } ?? [0])
    for name in order {
      guard let group = members[name] else { continue }
      let index = groups.firstIndex(of: group) ?? groups.count
      if index == groups.count { groups.append(group) }
      if name.hasPrefix("*.") { wildcards[String(name.dropFirst())] = index } else { exact[name] = index }
    }
  }

  /// OpenSSL keeps one certificate for each.
  private static func type(of certificate: CertificateInfo) -> Substring {
    certificate.keyType.prefix { $0 != " " }
  }

  /// - Parameter name: in lower case, without a final dot.
  func group(for name: String) -> Int {
    if let group = exact[name] { return group }
    guard let dot = name.firstIndex(of: "."), dot != name.startIndex else { return 0 }
    return wildcards[String(name[dot...])] ?? 0
  }

  /// The name that the client asks for by SNI. Nil without one.
  static func name(of ssl: OpaquePointer) -> String? {
    // SAFETY: the name belongs to ssl and is copied. OpenSSL lets none pass with a NUL in it.
    guard let text = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return nil }
    let name = unsafe String(cString: text).lowercased()
    return name.hasSuffix(".") ? String(name.dropLast()) : name
  }
}
