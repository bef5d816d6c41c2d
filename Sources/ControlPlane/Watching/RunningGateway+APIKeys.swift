// API keys that were added or taken away without a reload: their files are looked at every few seconds. A file with a
// mistake changes nothing.

import Configuration
internal import Logging
import Proxy
internal import Tokens

extension RunningGateway {
  /// - Parameter tried: what was read already, by path.
  func renewAPIKeys(_ tried: inout [String: FileSignature]) async {
    for set in configuration.apiKeys {
      guard let file = set.file else { continue }
      let signature = FileSignature(ofFileAt: file.path)
      if signature == file.signature || signature == tried[file.path] { continue }
      tried[file.path] = signature
      await readAgain(set, file.path, signature)
    }
  }

  private func readAgain(_ set: APIKeySet, _ path: String, _ signature: FileSignature) async {
    switch ConfigurationReader.apiKeys(inFileAt: path) {
    case .success(let keys):
      await partsChanged { file in
        // A reload may have come between.
        guard let index = file.apiKeys.firstIndex(where: { $0.name == set.name && $0.file?.path == path }) else {
          return
        }
        file.apiKeys[index].file?.signature = signature
        file.apiKeys[index].keys = keys
      }
      log.notice("API keys changed", metadata: ["set": "\(set.name)", "keys": "\(keys.count)"])
    case .failure(let errors):
      for finding in errors.description.split(separator: "\n") { log.error("\(finding)") }
      log.error("API keys not changed, the current ones stay in use", metadata: ["set": "\(set.name)"])
    }
  }
}
