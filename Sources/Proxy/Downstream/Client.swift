// Who is at the other end of a client connection, with what its TLS handshake brought.

package import Configuration

/// Who is at the other end of a client connection, and how it came in. Immutable. Shared by all of its exchanges.
package final class Client: Sendable {
  let address: PeerAddress
  /// As fields and the log have it. A string, which holds an IPv4 address without memory of its own.
  let addressText: String
  /// Id of the listener in the counters.
  let listener: Int
  /// Nil without TLS.
  let security: ClientSecurity?

  init(address: PeerAddress, listener: Int, security: ClientSecurity?) {
    self.address = address
    addressText = address.text
    self.listener = listener
    self.security = security
  }
}

extension Client {
  /// Of the gateway's own requests.
  static let gateway = Client(address: PeerAddress(high: 0, low: 0), listener: -1, security: nil)
}

/// What a client's TLS handshake brought. An object, so that who has none pays for none.
package final class ClientSecurity: Sendable {
  /// Such as `TLSv1.3`.
  let version: String
  let cipher: String
  package let isResumed: Bool
  /// By ALPN. Nil when there was none.
  let applicationProtocol: ApplicationProtocol?
  /// Nil when the client showed none.
  let certificate: ClientCertificateFacts?

  package init(
    version: String, cipher: String, isResumed: Bool, applicationProtocol: ApplicationProtocol?,
    certificate: ClientCertificateFacts?
  ) {
    self.version = version
    self.cipher = cipher
    self.isResumed = isResumed
    self.applicationProtocol = applicationProtocol
    self.certificate = certificate
  }
}
