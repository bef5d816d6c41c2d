// A certificate for localhost, made again for each demo and gone with it.

import FoundationEssentials
import TLS

struct DemoCertificates {
  /// Holds `localhost.crt` and `localhost.key`. For this user only.
  let folder: String

  static var parent: String { FileManager.default.temporaryDirectory.path }

  init() throws {
    let made = try SelfSignedCertificate(names: "DNS:localhost,IP:127.0.0.1", commonName: "localhost", days: 30)
    let url = URL(filePath: Self.parent).appending(path: "catraca-demo-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(
      at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    folder = url.path
    try Data(made.certificate).write(to: url.appending(path: "localhost.crt"))
    let key = url.appending(path: "localhost.key")
    try Data(made.key).write(to: key)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }
}
