// The statuses of gRPC that refusals have.

/// The numbers are gRPC's own.
package enum GRPCStatus: Int, Sendable {
  case cancelled = 1
  case unknown = 2
  case deadlineExceeded = 4
  case permissionDenied = 7
  case resourceExhausted = 8
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case unauthenticated = 16
}
