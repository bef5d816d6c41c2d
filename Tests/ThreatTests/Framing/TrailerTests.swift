// What may not be in a head must not come in behind the body.

import TestSupport
import Testing

@Suite("Trailers")
struct TrailerTests {
  @Test("T36 Identity, forwarding and credential fields in trailers reach nobody, in any spelling")
  func identityInTrailers() async throws {
    let upstream = try await TestUpstream.echo()
    let issuer = try await TestIssuer.start()
    let gateway = try await GatewayProcess.start(
      """
      issuers:
      \(issuer.configuration())
      upstreams:
        service: { servers: ["\(upstream.address)"] }
      routes:
        - path: /private
          auth: login
          identity: { headers: { X-User-Id: sub, X-Org: org }, payload: X-Payload, strip: [X-Auth-*] }
          upstream: service
        - { path: /open, auth: public, upstream: service }
      """)
    try await gateway.waitUntilReady()
    let trailers = [
      "X-User-Id: root", "x-user-id: root", "X_User_Id: root", "X.User.Id: root", "X-Org: root", "X-Payload: root",
      "X-Auth-Any: root", "X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "Forwarded: for=6.6.6.6",
      "X-Sum: kept",
    ]
    for path in ["/open", "/private"] {
      for trailer in trailers {
        let response = try await gateway.exchange(
          "POST \(path) HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(issuer.token())\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\(trailer)\r\n\r\n")
        #expect(response.status == 200)
        let request = try #require(upstream.requests.last)
        let kept = trailer == "X-Sum: kept" ? [trailer] : []
        #expect(request.trailers.map(\.description) == kept, "\(path) \(trailer)")
      }
    }
    let user = upstream.requests.filter { $0.target == "/private" }.map { $0.values(of: "X-User-Id") }
    #expect(user.allSatisfy { $0 == ["alice"] })
  }

  @Test("T36 Credentials, cookies and hop-by-hop fields in trailers are dropped or refused")
  func credentialsInTrailers() async throws {
    let target = try await FramingTarget()
    for trailer in [
      "Authorization: Bearer x", "Cookie: a=b", "Connection: close", "Keep-Alive: 1", "Upgrade: x", "TE: trailers",
      "Expect: 100-continue", "X-Request-Id: evil", "traceparent: evil", "Via: evil",
    ] {
      let response = try await target.gateway.exchange(
        post("Transfer-Encoding: chunked", body: "2\r\nhi\r\n0\r\n\(trailer)\r\n\r\n"))
      if response.status == 200 {
        #expect(target.upstream.requests.last?.trailers == [], "\(trailer)")
      } else {
        #expect(response.status == 400, "\(trailer)")
      }
    }
  }
}
