// Reads a certificate: names, times, key. Nothing is owned here but what each function makes and frees.

internal import COpenSSL
internal import Glibc

extension CertificateInfo {
  /// - Parameter certificate: an X509 that lives through the call.
  init(of certificate: OpaquePointer) {
    // SAFETY: the times belong to the certificate.
    notBefore = unsafe Self.unixSeconds(X509_get0_notBefore(certificate))
    notAfter = unsafe Self.unixSeconds(X509_get0_notAfter(certificate))
    keyType = unsafe Self.keyType(of: certificate)
    let alternatives = unsafe AlternativeName.all(of: certificate)
    // RFC 9525 §2: the common name is not a name any more. It counts where nothing else is there.
    let commonName = unsafe Self.commonName(of: certificate)
    names =
      alternatives.map { $0.filter { $0.kind == .dns || $0.kind == .address }.map { $0.text.lowercased() } }
      ?? commonName.map { [$0.lowercased()] } ?? []
  }

  /// 0 for a value that is not a time.
  static func unixSeconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
    guard let time = unsafe time else { return 0 }
    var parts = unsafe tm()
    // SAFETY: the time lives through the call. `parts` is filled by it.
    guard unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
    return Int64(unsafe timegm(&parts))
  }

  private static func keyType(of certificate: OpaquePointer) -> String {
    // SAFETY: the key belongs to the certificate, its type's name to the key.
    guard let key = unsafe X509_get0_pubkey(certificate), let name = unsafe EVP_PKEY_get0_type_name(key) else {
      return "unknown"
    }
    let type = unsafe String(cString: name)
    let bits = unsafe EVP_PKEY_get_bits(key)
    switch type {
    case "EC": return "EC P-\(bits)"
    case "RSA", "RSA-PSS": return "\(type) \(bits)"
    default: return type
    }
  }

  private static func commonName(of certificate: OpaquePointer) -> String? {
    // SAFETY: name, entry and string belong to the certificate. The text is ours until it is freed here.
    guard let name = unsafe X509_get_subject_name(certificate) else { return nil }
    let index = unsafe X509_NAME_get_index_by_NID(name, NID_commonName, -1)
    guard index >= 0, let entry = unsafe X509_NAME_get_entry(name, index) else { return nil }
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = unsafe ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(entry))
    guard count > 0, let bytes = unsafe bytes else {
      ERR_clear_error()
      return nil
    }
    defer { unsafe CRYPTO_free(bytes, nil, 0) }
    let text = unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    // It may hold anything, and is in metrics and messages.
    return text.contains(0) ? nil : AlternativeName.escaped(text)
  }
}

/// A subject alternative name of a kind that is forwarded (RFC 5280 §4.2.1.6).
struct AlternativeName: Equatable {
  enum Kind: String {
    case dns = "DNS"
    case uri = "URI"
    case email
    case address = "IP"
  }

  let kind: Kind
  /// Visible ASCII without commas. Any other byte as `\XX`.
  let text: String

  /// nil when the certificate has no such extension.
  static func all(of certificate: OpaquePointer) -> [AlternativeName]? {
    // SAFETY: the list is new, and freed here. Its names belong to it.
    guard let list = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
      ERR_clear_error()
      return nil
    }
    let names = OpaquePointer(list)
    defer { unsafe GENERAL_NAMES_free(names) }
    return unsafe (0..<catraca_names_count(names)).compactMap { index in
      unsafe catraca_names_at(names, index).flatMap { unsafe AlternativeName($0) }
    }
  }

  private init?(_ name: UnsafePointer<GENERAL_NAME>) {
    var type: Int32 = 0
    // SAFETY: for these four types the value is an ASN1_STRING that belongs to the name.
    let value = unsafe GENERAL_NAME_get0_value(name, &type)
    switch type {
    case GEN_DNS: kind = .dns
    case GEN_URI: kind = .uri
    case GEN_EMAIL: kind = .email
    case GEN_IPADD: kind = .address
    default: return nil
    }
    guard let string = unsafe value?.assumingMemoryBound(to: ASN1_STRING.self) else { return nil }
    let start = unsafe ASN1_STRING_get0_data(string)
    let count = unsafe Int(max(0, ASN1_STRING_length(string)))
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    if kind == .address {
      guard let address = Self.address(bytes) else { return nil }
      text = address
    } else {
      text = Self.escaped(bytes)
    }
  }

  fileprivate static func escaped(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes {
      if byte > 0x20, byte < 0x7F, byte != UInt8(ascii: ","), byte != UInt8(ascii: "\\") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += "\\" + hexadecimal([byte]).uppercased()
      }
    }
    return text
  }

  private static func address(_ bytes: [UInt8]) -> String? {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    // SAFETY: the address has as many bytes as its family requires. The text's room is given.
    let made = unsafe inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
    guard unsafe made != nil else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Two lower-case digits a byte.
func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
