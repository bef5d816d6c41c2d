// `POST /revoke?issuer=NAME`: one more entry for a denylist in a store, which the gateway can reach and its operator
// need not. The body is the entry, as a line of a denylist.

import Configuration
import Logging
import Proxy
import Tokens

extension AdminServer {
  static func addRevocation(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse {
    let configuration = await gateway.configuration
    guard let name = request.parameter("issuer"),
      let issuer = configuration.issuers.first(where: { $0.name == name }),
      case .redis(let index) = issuer.revocation?.denylist, configuration.stores.indices.contains(index)
    else { return .text("no issuer of that name has a denylist in a store: /revoke?issuer=NAME\n", status: 404) }
    let fields: [[UInt8]]
    do throws(DenylistFault) { fields = try DenylistEntry.fields(of: request.body.span) } catch {
      return .text("the body is not a valid entry: \(error.rawValue)\n", status: 400)
    }
    let store = configuration.stores[index]
    let key = Revocation.streamKey(ofIssuer: name, in: store)
    let command = [Array("XADD".utf8), key, Array("*".utf8)] + fields
    switch await gateway.link.ask(store.name, command, at: .key(key)) {
    case .bytes: break
    case .error(let words): return .text("the store has not taken it: \(words)\n", status: 502)
    default: return .text("the store does not answer\n", status: 503)
    }
    gateway.log.notice("token revoked", metadata: ["issuer": "\(name)"])
    return .text("revoked\n")
  }
}
