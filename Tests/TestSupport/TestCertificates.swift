// Certificates made for one test run by the openssl command: a root, and server certificates that are good or bad in
// one way each. Lives in a temporary folder that goes away with it.

package import Foundation

/// A root and what it signed.
package final class TestCertificates: Sendable {
  package enum Kind: String, CaseIterable {
    case good, wrongHost, expired, unknownAuthority, address
    /// The same names as `good` with an RSA key. All of one domain's. No alternative names, only a common name.
    case rsa, wildcard, commonName
    /// For clients: with names of all kinds, out of date, of another authority.
    case client, expiredClient, foreignClient
    /// Behind an intermediate that its file carries along.
    case chained
  }

  package let folder: URL

  /// A file that the script made besides the certificates and keys.
  package func file(_ name: String) -> String { folder.appending(path: name).path }

  package var authority: String { folder.appending(path: "ca.crt").path }

  package func certificate(_ kind: Kind) -> String { folder.appending(path: "\(kind.rawValue).crt").path }
  package func key(_ kind: Kind) -> String { folder.appending(path: "\(kind.rawValue).key").path }

  private init(folder: URL) { self.folder = folder }

  /// Waits for the command without holding up a thread: it takes seconds on a busy machine, and other tests' clients
  /// have deadlines at their servers meanwhile.
  private static func make() async throws -> TestCertificates {
    let folder = FileManager.default.temporaryDirectory.appending(path: "catraca-tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let script = """
      set -e
      root() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.crt \
        -days 30 -subj "/CN=Test root $1" -addext basicConstraints=critical,CA:TRUE; }
      ec='ec -pkeyopt ec_paramgen_curve:P-256'
      leaf() { openssl req -newkey ${5:-$ec} -nodes -keyout $1.key -out $1.csr -subj "${6:-/CN=leaf}"
        printf '%s\\n' "${3:+subjectAltName=$3}" "$7" > $1.ext
        openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial -extfile $1.ext -out $1.crt $4; }
      root ca; root other
      leaf good ca DNS:localhost,DNS:idp.test "-days 30"
      leaf wrongHost ca DNS:elsewhere.test "-days 30"
      leaf expired ca DNS:localhost,DNS:idp.test "-days -1"
      leaf unknownAuthority other DNS:localhost,DNS:idp.test "-days 30"
      leaf address ca IP:127.0.0.1 "-days 30"
      leaf rsa ca DNS:localhost,DNS:idp.test "-days 30" rsa:2048
      leaf wildcard ca 'DNS:*.apps.test,DNS:Apps.Test' "-days 30"
      leaf commonName ca "" "-days 30" "$ec" /CN=old.test
      leaf client ca 'DNS:caller.test,URI:spiffe://test/caller,email:a@b.test,IP:10.0.0.7,IP:::1' "-days 30" "$ec" \
        '/O=Test, Inc./CN=caller'
      leaf expiredClient ca DNS:caller.test "-days -1"
      leaf foreignClient other DNS:caller.test "-days 30"
      printf '[ca]\\ndefault_ca=ca\\ndatabase=crl.txt\\ndefault_md=sha256\\n' > crl.conf; : > crl.txt
      revoke() { openssl ca -config crl.conf -keyfile ca.key -cert ca.crt "$@"; }
      revoke -gencrl -crldays 9 -out revokesNobody.crl
      revoke -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z -out overdue.crl
      revoke -revoke client.crt; revoke -gencrl -crldays 9 -out revokesClient.crl
      leaf between ca "" "-days 30" "$ec" '/CN=Test intermediate' basicConstraints=critical,CA:TRUE
      leaf chained between DNS:chained.test "-days 30"
      cp chained.crt chainedAlone.crt; cat between.crt >> chained.crt
      openssl ec -in good.key -aes256 -passout pass:secret -out encryptedOld.key
      openssl pkcs8 -topk8 -in good.key -passout pass:secret -out encrypted.key
      serial() { openssl x509 -in $1.crt -noout -serial | cut -d= -f2; }
      for kind in good rsa; do
        printf 'V\\t%s\\t\\t%s\\tunknown\\t/CN=leaf\\n' "$(date -u -d '+9 days' +%y%m%d%H%M%SZ)" "$(serial $kind)" \
          > index.txt
        openssl ocsp -index index.txt -rsigner ca.crt -rkey ca.key -CA ca.crt -issuer ca.crt -cert $kind.crt \
          -ndays 1 -respout $kind.ocsp -noverify
      done
      """
    let certificates = TestCertificates(folder: folder)
    let result = try await ChildProcess.run("sh", ["-c", script], in: folder, within: .seconds(300))
    guard result.status == 0 else { throw GatewayProcess.StartFailure(description: result.standardError) }
    return certificates
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private static let made = Task { try await make() }

  /// The same for all tests of the process.
  package static func shared() async throws -> TestCertificates { try await made.value }
}
