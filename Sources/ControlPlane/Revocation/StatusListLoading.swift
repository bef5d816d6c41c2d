// One look at a status list: fetched, held against the issuer's keys and the URI, and made ready to be asked.

internal import Bytes
internal import Compression
internal import Configuration
internal import TLS
internal import Tokens

struct LoadedStatusList: Sendable {
  var list: StatusList
  var ttlSeconds: Int64?
  /// The token that it came in.
  var token: [UInt8]
}

struct StatusListLoader: Sendable {
  let environment: RevocationEnvironment

  func load(_ uri: [UInt8], of issuer: Issuer) async -> Result<LoadedStatusList, RevocationFailure> {
    guard let text = String(validating: uri, as: UTF8.self), let url = FetchURL(text) else {
      return .failure(.urlNotAllowed("the URI of the status list is not an http(s) URL"))
    }
    if let problem = Self.problem(with: url, issuer) { return .failure(.urlNotAllowed(problem)) }
    var terms = FetchTerms()
    terms.accept = "application/statuslist+jwt"
    let trust = Trust(file: issuer.certificateAuthority)
    switch await environment.fetch(text, trust, terms, StatusListCheck.tokenByteCountMax) {
    case .failure(let error): return .failure(.fetch(error))
    case .success(let document): return await read(document.body, uri, of: issuer)
    }
  }

  /// A token names the URL, so it may lead to hosts that the operator named, and to no other (T24, T25).
  static func problem(with url: FetchURL, _ issuer: Issuer) -> String? {
    if !url.isSecure, !url.isLoopback, !issuer.isInsecureAllowed { return "http: \(url)" }
    let own = FetchURL(issuer.policy.issuer)?.host
    let named = (issuer.revocation?.statusListHosts ?? []).contains { $0.lowercased() == url.host }
    if url.host == own || named { return nil }
    return "the status list \(url) is at a host that is not in 'status_list_hosts'"
  }

  /// - Parameter body: the list's token, as it was fetched or stored.
  func read(_ body: [UInt8], _ uri: [UInt8], of issuer: Issuer) async -> Result<LoadedStatusList, RevocationFailure> {
    var token = body[...]
    while let last = token.last, last <= 0x20 { token.removeLast() }
    let bytes = Array(token)
    do throws(RevocationFailure) {
      return .success(try await verified(bytes, uri, of: issuer))
    } catch {
      return .failure(error)
    }
  }

  private func verified(
    _ token: [UInt8], _ uri: [UInt8], of issuer: Issuer
  ) async throws(RevocationFailure) -> LoadedStatusList {
    guard let keys = await environment.keySet(issuer.name) else { throw .keysUnavailable }
    let facts: StatusListFacts
    do throws(StatusListFault) {
      facts = try self.facts(in: token, uri, issuer, keys)
    } catch {
      guard error == .keyUnknown else { throw RevocationFailure(error) }
      // As for any token, the issuer may have a newer key.
      await environment.renewKeys(issuer.name)
      guard let newer = await environment.keySet(issuer.name), newer !== keys else { throw RevocationFailure(error) }
      do throws(StatusListFault) { return try ready(try self.facts(in: token, uri, issuer, newer), token) } catch {
        throw RevocationFailure(error)
      }
    }
    do throws(StatusListFault) { return try ready(facts, token) } catch { throw RevocationFailure(error) }
  }

  private func facts(
    in token: [UInt8], _ uri: [UInt8], _ issuer: Issuer, _ keys: KeySet
  ) throws(StatusListFault) -> StatusListFacts {
    try StatusListCheck.facts(
      in: token.span, from: uri, IssuerRules(issuer.policy), keys, TokenVerifier(), now: environment.wallTime())
  }

  private func ready(_ facts: StatusListFacts, _ token: [UInt8]) throws(StatusListFault) -> LoadedStatusList {
    guard
      let statuses = ZlibInflater.inflate(facts.compressed, byteCountMax: StatusListCheck.statusByteCountMax)
    else { throw .notInflated }
    return LoadedStatusList(
      list: StatusList(facts, statuses: statuses), ttlSeconds: facts.ttlSeconds, token: token)
  }
}
