// The tables of docs/REFUSALS.md, from the records of the refusals.

import HTTP2
import HTTPWire
import Proxy
import Tokens

extension GeneratedDocument {
  static let refusals = GeneratedDocument(
    path: "docs/REFUSALS.md",
    parts: [
      ("tokens", refusalTable(TokenRefusal.allCases.map(Refusal.token))),
      ("requests", refusalTable(GatewayRefusal.allCases.map(Refusal.gateway))),
      ("paths", refusalTable(TargetError.allCases.map(Refusal.target))),
      ("heads", refusalTable(HeadError.allCases.map(Refusal.head))),
      ("connections", errorTable(ConnectionError.allCases.map { ($0.rawValue, $0.record) })),
      ("http2", errorTable(FailureReason.allCases.map { ($0.rawValue, $0.record) })),
    ])

  private static func refusalTable(_ refusals: [Refusal]) -> String {
    table(
      ["code", "status", "gRPC", "when", "what to do"],
      refusals.map {
        let record = $0.record
        return [
          "`\($0.code)`", "\(record.status)", "\(record.grpcStatus.rawValue)", "\(record.sentence)",
          "\(record.advice)",
        ]
      })
  }

  private static func errorTable(_ errors: [(code: String, record: ErrorRecord)]) -> String {
    table(
      ["code", "when", "what to do"],
      errors.map { ["`\($0.code)`", "\($0.record.sentence)", "\($0.record.advice)"] })
  }
}
