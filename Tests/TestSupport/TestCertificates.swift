// Certificates made for one test run by the openssl command: a root, and server certificates that are good or bad in one
// way each. Lives in a temporary folder that goes away with it.

package import Foundation

/// A root and what it signed.
package final class TestCertificates: Sendable {
  package enum Kind: String, CaseIterable {
    case good, wrongHost, expired, unknownAuthority, address
  }

  package let folder: URL

  package var authority: String { folder.appending(path: "ca.crt").path }

  package func certificate(_ kind: Kind) -> String { folder.appending(path: "\(kind.rawValue).crt").path }
  package func key(_ kind: Kind) -> String { folder.appending(path: "\(kind.rawValue).key").path }

  package init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "catraca-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let script = """
      set -e
      root() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.crt \
        -days 30 -subj "/CN=Test root $1" -addext basicConstraints=critical,CA:TRUE; }
      leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj /CN=leaf
        printf 'subjectAltName=%s\\n' "$3" > $1.ext
        openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial -extfile $1.ext -out $1.crt $4; }
      root ca; root other
      leaf good ca DNS:localhost,DNS:idp.test "-days 10"
      leaf wrongHost ca DNS:elsewhere.test "-days 10"
      leaf expired ca DNS:localhost,DNS:idp.test "-days -1"
      leaf unknownAuthority other DNS:localhost,DNS:idp.test "-days 10"
      leaf address ca IP:127.0.0.1 "-days 10"
      """
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", script]
    process.currentDirectoryURL = folder
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  package static let shared = Result { try TestCertificates() }
}
