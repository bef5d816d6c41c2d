// What an issuer says of itself, for who writes a configuration. The gateway itself never takes a name from a document:
// it has the configured one, and refuses any other.

internal import Configuration
package import Tokens

package struct IssuerProbe: Sendable {
  /// Exactly as the document has it, which is how it is in tokens.
  package let issuer: String
  package let keyCount: Int
  /// What the keys that can be used sign with, in the order of their names.
  package let algorithms: [SignatureAlgorithm]

  /// Asks the issuer for its document and its keys.
  /// - Parameter issuer: its URL, with or without a final slash.
  /// - Throws: why there is no answer, of the first place where the document may be.
  package static func ask(_ issuer: String, _ fetcher: DocumentFetcher) async throws(RefreshFailure) -> IssuerProbe {
    guard let discovery = Discovery(issuer: issuer, isInsecureAllowed: true) else { throw .fetch(.urlInvalid(issuer)) }
    var first: FetchError?
    for url in discovery.documentURLs {
      let document: Document
      do throws(FetchError) {
        document = try await fetcher.get(url: url)
      } catch {
        first = first ?? error
        continue
      }
      let name = try Discovery.read(document.body).issuer
      let keysURL = try discovery.keysURL(in: document.body, issuer: name)
      return try await IssuerProbe(name, keys: fetch(keysURL, fetcher))
    }
    throw .fetch(first ?? .urlInvalid(issuer))
  }

  private init(_ issuer: String, keys: KeySet) {
    self.issuer = issuer
    keyCount = keys.keys.count
    algorithms = SignatureAlgorithm.allCases.filter { algorithm in keys.keys.contains { $0.mayVerify(algorithm) } }
  }

  private static func fetch(_ url: String, _ fetcher: DocumentFetcher) async throws(RefreshFailure) -> KeySet {
    let document: Document
    do throws(FetchError) {
      document = try await fetcher.get(url: url)
    } catch {
      throw .fetch(error)
    }
    // Secrets are never in a public set.
    guard let keys = try? KeySet.parse(document.body.span, algorithms: SignatureAlgorithm.asymmetric) else {
      throw .noUsableKey("of \(url.withoutURLSecrets)")
    }
    return keys
  }
}
