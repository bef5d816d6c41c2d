// Renewed certificates without a reload: the files are looked at every few seconds, and when they are good and
// different, handshakes from then on take the new ones.

import Configuration
import Logging
import Proxy
import Transport

extension RunningGateway {
  /// Makes TLS contexts again when a file of theirs has changed. A bad one changes nothing, and is reported once.
  func renewContexts() {
    let signatures = Self.signatures(of: snapshot.configuration)
    if signatures == certificateSignatures { return }
    certificateSignatures = signatures
    do {
      let prepared = try tls.prepare(snapshot.configuration)
      gateway.install(prepared.contexts, generation: snapshot.generation)
      certificates = prepared.certificates
      log.notice("certificates renewed")
    } catch {
      log.error("certificates not renewed, the current ones stay in use", metadata: ["error": "\(error)"])
    }
  }

  /// Of all files of TLS that a configuration names. To be taken before they are read: one that changes meanwhile is
  /// then read again, and none is overlooked.
  static func signatures(of configuration: GatewayConfiguration) -> [FileSignature] {
    let listeners = configuration.listeners.compactMap(\.tls)
    var files = listeners.flatMap(\.certificates).flatMap { [$0.certificate, $0.key, $0.ocsp].compactMap { $0 } }
    files += listeners.compactMap(\.ticketKeys)
    files += listeners.compactMap(\.clientRevocations)
    files += listeners.compactMap { tls in
      switch tls.clientCertificates {
      case .none: nil
      case .optional(let authority), .required(let authority): authority
      }
    }
    let servers = configuration.upstreams.compactMap(\.tls) + configuration.stores.compactMap(\.tls)
    files += servers.compactMap(\.certificateAuthority)
    files += servers.compactMap(\.certificate).flatMap { [$0.certificate, $0.key] }
    let disk = SystemFiles()
    return files.map { disk.signature(of: $0) }
  }
}
