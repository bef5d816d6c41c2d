// Waits for what the gateway does in the background.

extension GatewayProcess {
  /// Returns once `/readyz` says 200: every issuer has keys.
  package func waitUntilReady() async throws {
    try await waitUntil("the gateway to be ready") { try await self.admin("/readyz").status == 200 }
  }

  /// Asks again after a pause until it holds.
  package func waitUntil(_ awaited: String, _ condition: () async throws -> Bool) async throws {
    try await poll(awaited, seen: "\(standardError.suffix(12)) \(accessLog.suffix(6))", condition)
  }

  /// A connection that has had its first answer. Where `header_timeout` is short, a busy machine may be late for that.
  package func connectServed(_ path: String = "/") async throws -> RawClient {
    try await undisturbed("a connection that is served in time") {
      let client = try await connect()
      guard let response = try? await client.get(path), response.status == 200 else { return nil }
      return client
    }
  }
}
