// Files that count as they are now, without a reload: certificates, keys of assertions, API keys.

import Configuration

extension RunningGateway {
  private static let fileInterval = Duration.seconds(2)

  /// Runs until its task is cancelled.
  func watchFiles() async {
    var triedKeyFiles: [String: FileSignature] = [:]
    while !Task.isCancelled {
      try? await Task.sleep(for: Self.fileInterval)
      renewContexts()
      await renewAssertionKeys()
      await renewAPIKeys(&triedKeyFiles)
    }
  }
}
