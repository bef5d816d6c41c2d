// What is wrong with the files of TLS that a configuration names. It is reported while the configuration is checked, at
// the position of the path, and not when the first client connects. Never says what is in a key.

package import Configuration
import Glibc
import TLS
import Tokens

package enum CertificateCheck {
  private static let day: Int64 = 24 * 3600
  // LIMIT: a chain, an authority or a key is some kilobytes long. A device that never ends would be read for ever.
  private static let byteCountMax = 4 * 1024 * 1024

  /// For ``ConfigurationReader``: at the start, for a reload, and for `catraca check`.
  package static func findings(_ reference: CertificateReference) -> [CertificateFinding] {
    if case .assertionKeys(let path, let algorithm, let isMade) = reference {
      return isMade && AssertionKeys.isWithoutKeys(path.path) ? [] : findings(path, algorithm)
    }
    let unreadable = reference.files.compactMap(unreadable)
    if !unreadable.isEmpty { return unreadable }
    do throws(TLSError) {
      switch reference {
      case .server(let certificate, let key, let ocsp):
        return try check(certificate, key, ocsp) + openness(key)
      case .client(let certificate, let key):
        return try check(certificate, key, nil) + openness(key)
      case .clientAuthority(let file), .upstreamAuthority(let file):
        return try TLSFiles.checkAuthority(file.path).flatMap { expiry($0.notAfter, of: file) }
      case .clientRevocations(let file):
        return try TLSFiles.checkRevocations(file.path).flatMap { overdue($0, file) } ?? []
      case .ticketKeys(let file):
        try TLSFiles.checkTicketKeys(file.path)
        return openness(file)
      case .signingKey(let file):
        if (try? ClientKey(file: file.path)) != nil { return openness(file) }
        return [CertificateFinding(.error, at: file.position, "\(ClientKey.fault) in '\(file.path)'")]
      case .assertionKeys: return []
      }
    } catch {
      let position = reference.files.first { $0.path == error.file }?.position ?? reference.files.first?.position
      return position.map { [CertificateFinding(.error, at: $0, error.reason)] } ?? []
    }
  }

  /// Of keys that assertions are signed with.
  private static func findings(_ keys: LocatedPath, _ algorithm: SignatureAlgorithm) -> [CertificateFinding] {
    do throws(AssertionKeyError) {
      _ = try AssertionKeys.signer(at: keys.path, algorithm, type: "JWT")
      return AssertionKeys.openFiles(at: keys.path).flatMap {
        openness(LocatedPath(path: $0, position: keys.position))
      }
    } catch {
      return [CertificateFinding(.error, at: keys.position, "\(error)")]
    }
  }

  private static func unreadable(_ file: LocatedPath) -> CertificateFinding? {
    do throws(FileError) {
      _ = try SystemFiles().read(file.path, byteCountMax: byteCountMax)
      return nil
    } catch {
      return CertificateFinding(.error, at: file.position, "the file '\(file.path)' cannot be read: \(error.reason)")
    }
  }

  /// Every user of the machine could pose as the gateway with a key that they may read.
  private static func openness(_ key: LocatedPath) -> [CertificateFinding] {
    if !SystemFiles().isOpen(key.path) { return [] }
    let text = "every user of this machine may read the key '\(key.path)': chmod o-r"
    return [CertificateFinding(.warning, at: key.position, text)]
  }

  private static func check(
    _ certificate: LocatedPath, _ key: LocatedPath, _ ocsp: LocatedPath?
  ) throws(TLSError) -> [CertificateFinding] {
    let info = try TLSFiles.check(
      CertificatePaths(certificate: certificate.path, key: key.path, ocsp: ocsp?.path))
    return expiry(info.notAfter, of: certificate)
  }

  /// By RFC 5280 §6.3.3 a list is good until its next update is due. OpenSSL then takes no certificate any more.
  private static func overdue(_ nextUpdate: Int64, _ file: LocatedPath) -> [CertificateFinding] {
    if nextUpdate > Int64(time(nil)) { return [] }
    let text = "the next update of '\(file.path)' is overdue, so every client certificate is refused: renew it"
    return [CertificateFinding(.warning, at: file.position, text)]
  }

  /// A certificate that is over is shown all the same: a gateway that does not start would help nobody.
  private static func expiry(_ notAfter: Int64, of file: LocatedPath) -> [CertificateFinding] {
    let left = notAfter - Int64(time(nil))
    if left > 14 * day { return [] }
    let text =
      left <= 0
      ? "the certificate '\(file.path)' has expired: renew it"
      : "the certificate '\(file.path)' expires in \(left / day) days: renew it"
    return [CertificateFinding(.warning, at: file.position, text)]
  }
}
