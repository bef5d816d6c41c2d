// Why the gateway itself answered, or ended an exchange. Bodies, log and metrics carry the codes: they are the public
// contract, and none is ever built from parts.

package import HTTPWire
package import Tokens

/// A reason, from whichever check found it. Its code is the raw value, all else is in its record.
package enum Refusal: Sendable, Equatable {
  case head(HeadError)
  case target(TargetError)
  case token(TokenRefusal)
  case gateway(GatewayRefusal)

  package var code: String {
    switch self {
    case .head(let error): error.rawValue
    case .target(let error): error.rawValue
    case .token(let refusal): refusal.rawValue
    case .gateway(let refusal): refusal.rawValue
    }
  }

  package var record: RefusalRecord {
    switch self {
    case .head(let error): error.record
    case .target(let error): error.record
    case .token(let refusal): refusal.record
    case .gateway(let refusal): refusal.record
    }
  }

  package var status: Int { record.status }
}
