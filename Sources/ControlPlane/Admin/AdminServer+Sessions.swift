// Who is on the list of sessions, and the end of them: `GET /sessions` and `POST /sessions/end`, with `?sub=` for one
// subject. Nothing there shows a cookie, or what its digest is.

import FoundationEssentials
import Logging

extension AdminServer {
  /// As the document has it.
  private struct Line: Encodable {
    var session: String
    var issuer: String
    var subject: String
    var beganAt: Int64
    var usedAt: Int64
    var endsAt: Int64

    init(_ summary: SessionSummary) {
      session = summary.session
      issuer = summary.issuer
      subject = summary.subject
      beganAt = summary.beganAt
      usedAt = summary.usedAt
      endsAt = summary.endsAt
    }
  }

  static func sessions(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse {
    let found: [SessionSummary]
    do throws(SessionListUnavailable) {
      found = try await gateway.sessions.list(request.parameter("sub").map { .subject(Array($0.utf8)) })
    } catch {
      return unavailable
    }
    let lines = found.map(Line.init)
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let body = try? encoder.encode(lines) else { return .text("sessions cannot be shown\n", status: 500) }
    var response = SmallResponse.json(Array(body) + [0x0A])
    response.fields += [("Cache-Control", "no-store")]
    return response
  }

  static func endSessions(_ request: SmallRequest, _ gateway: RunningGateway) async -> SmallResponse {
    guard let subject = request.parameter("sub"), !subject.isEmpty else {
      return .text("say whose sessions end: /sessions/end?sub=SUBJECT\n", status: 400)
    }
    let count: Int
    do throws(SessionListUnavailable) {
      count = try await gateway.sessions.end(.subject(Array(subject.utf8)))
    } catch {
      return unavailable
    }
    gateway.log.notice("sessions ended", metadata: ["count": "\(count)"])
    return .text("ended: \(count)\n")
  }

  private static var unavailable: SmallResponse { .text("the store of the sessions does not answer\n", status: 503) }
}
