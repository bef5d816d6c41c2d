// Waits for what the gateway does in the background.

extension GatewayProcess {
  /// Returns once `/readyz` says 200: every issuer has keys.
  package func waitUntilReady() async throws {
    try await waitUntil("the gateway to be ready") { try await self.admin("/readyz").status == 200 }
  }

  /// Asks again after a pause until it holds.
  package func waitUntil(_ awaited: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + Deadline.standard
    while try await !condition() {
      if ContinuousClock.now > deadline {
        throw DeadlinePassed(awaited: awaited, seen: "\(standardError.suffix(12)) \(accessLog.suffix(6))")
      }
      await Pause.short()
    }
  }
}
