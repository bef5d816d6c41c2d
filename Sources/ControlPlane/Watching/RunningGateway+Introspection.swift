// Where issuers are asked about tokens, of those whose file does not say: their discovery documents do. Until one has
// answered, opaque tokens of it are 503. What was found stays in use when the issuer does not answer later.

import Configuration
internal import JSON
internal import Logging
internal import NIOPosix
import Proxy
internal import TLS
internal import Tokens

extension RunningGateway {
  private static let deadline = Duration.seconds(5)
  /// An issuer that has not answered is asked again after this time.
  private static let pause = Duration.seconds(5)
  private static let tick = Duration.seconds(1)

  /// Runs until its task is cancelled.
  func findIntrospectionEndpoints() async {
    let fetcher = DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton)
    let clock = ContinuousClock()
    var wakeUp = reloaded.calls.makeAsyncIterator()
    var dueAt: [String: ContinuousClock.Instant] = [:]
    var failures: [String: String] = [:]
    while !Task.isCancelled {
      for issuer in configuration.issuers where issuer.introspection?.isEndpointDiscovered == true {
        if let due = dueAt[issuer.name], clock.now < due { continue }
        do throws(RefreshFailure) {
          let url = try await Self.introspectionEndpoint(of: issuer, fetcher)
          await take(introspectionEndpoint: url, of: issuer)
          dueAt[issuer.name] = clock.now + issuer.refresh
          failures[issuer.name] = nil
        } catch {
          dueAt[issuer.name] = clock.now + Self.pause
          // Each reason once.
          if failures.updateValue(error.code, forKey: issuer.name) == error.code { continue }
          log.warning(
            "the introspection end point was not found",
            metadata: ["issuer": "\(issuer.name)", "reason": "\(error)"])
        }
      }
      if configuration.issuers.contains(where: { $0.introspection?.isEndpointDiscovered == true }) {
        try? await Task.sleep(for: Self.tick)
      } else if await wakeUp.next() == nil {
        return
      }
    }
  }

  private static func introspectionEndpoint(
    of issuer: Issuer, _ fetcher: DocumentFetcher
  ) async throws(RefreshFailure) -> String {
    let name = issuer.policy.issuer
    let trust = Trust(file: issuer.certificateAuthority)
    var asked: String?
    return try await Discovery.find(name, issuer, asked: &asked) { url throws(RefreshFailure) in
      do throws(FetchError) {
        return try await fetcher.get(url: url, trust: trust, deadline: deadline)
      } catch {
        throw .fetch(error)
      }
    } read: { rules, body throws(RefreshFailure) in
      try rules.introspectionEndpoint(in: body, issuer: name)
    }
  }

  private func take(introspectionEndpoint url: String, of issuer: Issuer) async {
    guard let known = configuration.issuers.first(where: { $0.name == issuer.name })?.introspection,
      known.isEndpointDiscovered, known.endpoint != url
    else { return }
    if let host = Introspection.server(of: url)?.hostName { await names.add(host) }
    let name = issuer.name
    await partsChanged { file in
      // A reload may have come between.
      if file.issuers.first(where: { $0.name == name })?.introspection?.isEndpointDiscovered == true {
        _ = file.take(introspectionEndpoint: url, ofIssuer: name)
      }
    }
    log.notice(
      "introspection end point found", metadata: ["issuer": "\(name)", "endpoint": "\(url.withoutURLSecrets)"])
  }
}

extension GatewayConfiguration {
  /// With what the one before it knows of its issuers.
  func withEndpoints(of old: GatewayConfiguration) -> GatewayConfiguration {
    var result = self
    for issuer in old.issuers {
      guard let found = issuer.introspection, found.isEndpointDiscovered, !found.endpoint.isEmpty,
        let own = issuers.first(where: { $0.name == issuer.name }),
        own.policy.issuer == issuer.policy.issuer, own.introspection?.isEndpointDiscovered == true
      else { continue }
      _ = result.take(introspectionEndpoint: found.endpoint, ofIssuer: issuer.name)
    }
    return result
  }
}

extension Discovery {
  /// Where the issuer is asked about tokens (RFC 8414 §2).
  /// - Parameter expected: the `issuer` that the document must name, byte by byte.
  func introspectionEndpoint(in body: [UInt8], issuer expected: String) throws(RefreshFailure) -> String {
    let (document, named) = try Self.read(body)
    guard named.utf8.elementsEqual(expected.utf8) else { throw .issuerMismatch(expected: expected, got: named) }
    guard let text = document.member("introspection_endpoint", of: document.root).flatMap({ document.string(at: $0) })
    else { throw .discoveryInvalid("no introspection_endpoint") }
    guard let url = FetchURL(text), !text.contains("#") else {
      throw .discoveryInvalid("introspection_endpoint is not an http(s) URL")
    }
    try check(url)
    if url.isSecure != issuer.isSecure { throw .urlNotAllowed("the end point has another scheme: \(url)") }
    return text
  }
}
