// Which of those that a worker asks do not answer. Nobody waits for one that has failed several times in a row.

/// By name. One that answers has no entry.
struct ServiceCircuits {
  private struct Circuit {
    var failureCount = 0
    /// In steady nanoseconds.
    var openUntil: Int64 = 0

    var isOpen: Bool { failureCount >= ServiceCircuits.failureCountMax }
  }

  private var circuits: [String: Circuit] = [:]

  private static let failureCountMax = 5
  private static let pauseNanoseconds: Int64 = 1_000_000_000

  /// Whether somebody is likely to answer.
  mutating func mayAsk(_ name: String, _ timeout: Int64, at now: Int64) -> Bool {
    if circuits.isEmpty { return true }
    guard var circuit = circuits[name], circuit.isOpen else { return true }
    if now < circuit.openUntil { return false }
    // One request tries. The others do not wait with it.
    circuit.openUntil = now &+ Self.pauseNanoseconds &+ timeout
    circuits[name] = circuit
    return true
  }

  /// - Parameter failure: empty where there was an answer.
  /// - Returns: a word for the log.
  mutating func noteOutcome(of name: String, failure: String, at now: Int64) -> UpstreamChange? {
    if failure.isEmpty {
      guard let circuit = circuits.removeValue(forKey: name), circuit.isOpen else { return nil }
      return .serviceAnswers(service: name)
    }
    var circuit = circuits[name] ?? Circuit()
    let wasOpen = circuit.isOpen
    circuit.failureCount = min(circuit.failureCount + 1, Self.failureCountMax)
    if circuit.isOpen { circuit.openUntil = now &+ Self.pauseNanoseconds }
    circuits[name] = circuit
    return circuit.isOpen && !wasOpen ? .serviceFails(service: name, reason: failure) : nil
  }

  mutating func forget() { circuits = [:] }
}
