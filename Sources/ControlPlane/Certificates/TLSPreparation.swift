// TLS contexts of a configuration: made before it takes over, and made again when one of their files changes. A file
// that is not good changes nothing.

import Configuration
import Proxy
import TLS
import Transport

/// A listener's certificate, for metrics.
package struct CertificateMetrics: Sendable, Equatable {
  package var listener: String
  /// Its first name.
  package var name: String
  /// Its key's type, such as `RSA 2048`: a name may have one certificate of each.
  package var key: String
  /// Seconds since 1970.
  package var expiresAt: Int64

  package init(listener: String, name: String, key: String, expiresAt: Int64) {
    self.listener = listener
    self.name = name
    self.key = key
    self.expiresAt = expiresAt
  }
}

/// Makes contexts, and keeps what outlives them.
struct TLSPreparation {
  struct Prepared: Sendable {
    var contexts: TLSContexts
    var certificates: [CertificateMetrics]
  }

  /// Own ticket keys by listener, so that sessions are resumed across reloads.
  private var ticketKeys: [ListenerKey: TicketKeys] = [:]

  /// Reads files: not for an event loop.
  mutating func prepare(_ configuration: GatewayConfiguration) throws(TLSError) -> Prepared {
    var prepared = Prepared(contexts: TLSContexts(), certificates: [])
    for listener in configuration.listeners {
      guard let tls = listener.tls else { continue }
      let address = listener.address.description
      let context = try ServerContext(Self.options(tls), tickets: try keys(tls, listener.key))
      prepared.contexts.listeners[listener.key] = context
      for certificate in context.certificates {
        let (name, key) = (certificate.names.first ?? "", certificate.keyType)
        // Only the first of the same name and type is shown to clients. A series appears once on a page.
        let isKnown = prepared.certificates.contains { $0.listener == address && $0.name == name && $0.key == key }
        if isKnown { continue }
        prepared.certificates.append(
          CertificateMetrics(listener: address, name: name, key: key, expiresAt: certificate.notAfter))
      }
    }
    for upstream in configuration.upstreams {
      guard let tls = upstream.tls else { continue }
      prepared.contexts.servers[.upstream(upstream.name)] = try ClientContext(
        Self.options(tls, upstream.protocol == .http2 ? .http2 : .http1))
    }
    for store in configuration.stores {
      guard let tls = store.tls else { continue }
      prepared.contexts.servers[.store(store.name)] = try ClientContext(Self.options(tls, nil))
    }
    return prepared
  }

  /// Keys of a file are read again each time. Others are made once.
  private mutating func keys(_ tls: ListenerTLS, _ listener: ListenerKey) throws(TLSError) -> TicketKeys {
    if let file = tls.ticketKeys { return try TicketKeys(file: file) }
    if let known = ticketKeys[listener] { return known }
    let fresh = try TicketKeys()
    ticketKeys[listener] = fresh
    return fresh
  }

  private static func options(_ tls: ListenerTLS) -> ServerOptions {
    var options = ServerOptions(
      certificates: tls.certificates.map {
        CertificatePaths(certificate: $0.certificate, key: $0.key, ocsp: $0.ocsp)
      })
    options.minimumVersion = tls.minimumVersion == .tls13 ? .tls13 : .tls12
    options.acceptsOldCiphers = tls.compatibility == .old
    options.applicationProtocols = tls.applicationProtocols.map(\.rawValue)
    options.clientCertificates =
      switch tls.clientCertificates {
      case .none: .none
      case .optional(let authority): .optional(authority: authority)
      case .required(let authority): .required(authority: authority)
      }
    options.clientRevocations = tls.clientRevocations
    return options
  }

  private static func options(_ tls: UpstreamTLS, _ protocol: ApplicationProtocol?) -> ClientOptions {
    var options = ClientOptions(trust: Trust(file: tls.certificateAuthority))
    options.isVerified = tls.isVerified
    options.certificate = tls.certificate.map { CertificatePaths(certificate: $0.certificate, key: $0.key) }
    options.applicationProtocols = `protocol`.map { [$0.rawValue] } ?? []
    options.keepsSessions = true
    return options
  }
}
