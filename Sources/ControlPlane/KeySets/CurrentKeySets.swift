// The keys of a file's issuers at this moment, for a command that runs no gateway.

package import Configuration
package import Tokens

package enum CurrentKeySets {
  /// Loads the keys of each issuer as a gateway does when it starts.
  /// - Parameter files: by the issuers' names: key sets to be read from a file instead.
  /// - Returns: by the issuers' index, the keys or why there are none.
  package static func load(
    _ configuration: GatewayConfiguration, files: [String: String], _ fetcher: DocumentFetcher
  ) async -> [Result<KeySet, RefreshFailure>] {
    let loader = KeySetLoader(environment: .live(fetcher))
    return await withTaskGroup(of: (Int, Result<KeySet, RefreshFailure>).self) { group in
      for (index, issuer) in configuration.issuers.enumerated() {
        var issuer = issuer
        if let file = files[issuer.name] { issuer.keys = .file(file) }
        group.addTask { [issuer] in (index, await load(issuer, loader)) }
      }
      var results = [Result<KeySet, RefreshFailure>](
        repeating: .failure(.notJSON), count: configuration.issuers.count)
      for await (index, result) in group { results[index] = result }
      return results
    }
  }

  private static func load(_ issuer: Issuer, _ loader: KeySetLoader) async -> Result<KeySet, RefreshFailure> {
    switch await loader.load(issuer, knownURL: nil, signature: nil) {
    case .loaded(let loaded): .success(loaded.keySet)
    case .failed(let failure, _, _): .failure(failure)
    case .unchanged: .failure(.notJSON)
    }
  }
}
