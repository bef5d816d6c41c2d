// What `introspection` of an issuer requires of the rest of the file.

import Tokens

extension Reading {
  /// What the keys of an issuer require of its introspection.
  func checkIntrospection(_ issuer: inout Issuer, _ section: Section) {
    guard let introspection = issuer.introspection, let node = section["introspection"],
      let position = node.entry("endpoint")?.value.position
    else { return }
    issuer.policy.isAskedForOpaqueTokens = true
    switch WebURL.parse(introspection.endpoint) {
    case .failure(let problem): error(position, "'endpoint': \(problem.message)")
    case .success(let url) where !url.isSecure && !url.isLoopback && !issuer.isInsecureAllowed:
      error(
        position,
        "tokens and the client's secret over plain http to \(url.host.quoted) could be read: write https://, "
          + "or insecure: true if the network is trusted")
    case .success: break
    }
  }

  /// A route asks one issuer about what it cannot read.
  func checkIntrospection(_ route: Route, section: Section) {
    guard case .token(let requirement) = route.auth else { return }
    let asked = requirement.issuers.filter { names.askedIssuers.contains($0) }
    if asked.count > 1 {
      error(
        section.ownPosition("auth"),
        "two issuers of the route have 'introspection', and nobody knows whose an opaque token is: keep one of them")
    }
  }

  /// Each end point is an upstream, so that it has connections, TLS and names as all others.
  func addIntrospectionUpstreams(to file: inout GatewayConfiguration) {
    for index in file.issuers.indices {
      guard let upstream = file.issuers[index].introspectionUpstream else { continue }
      file.issuers[index].introspection?.upstream = file.upstreams.count
      file.upstreams.append(upstream)
    }
  }
}
