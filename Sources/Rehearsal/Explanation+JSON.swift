// An explanation for programs.

import Configuration
import JSON
import Tokens

extension Explanation {
  /// One object, with the members in this order.
  package var json: String {
    var members = [
      ("request", JSONWriter.quoted("\(request.url.method) \(request.url.target)")),
      ("host", JSONWriter.quoted(request.url.authority)), ("client", JSONWriter.quoted(request.client)),
      ("route", quoted(outcome.route)),
      (
        "other_routes",
        list(otherRoutes.map { object([("route", quoted($0.route)), ("reason", quoted($0.reason))]) })
      ),
      (
        "token",
        list(
          steps.map { step in
            object(
              [
                ("check", quoted(step.step.name)), ("passed", "\(step.isPassed)"), ("expected", quoted(step.expected)),
                ("got", quoted(step.got)),
              ] + (step.remedy.isEmpty ? [] : [("remedy", quoted(step.remedy))]))
          })
      ),
      ("asked", list(asked.map { object([("source", quoted($0.source)), ("answer", quoted($0.words))]) })),
      (
        "sender",
        list(
          senderSteps.map {
            object([
              ("check", quoted($0.name)), ("passed", "\($0.isPassed)"), ("expected", quoted($0.expected)),
              ("got", quoted($0.got)),
            ])
          })
      ), ("requirements", list(requirements.map { quoted($0) })), ("limits", list(limits.map { quoted($0) })),
      ("graphql", list(documentRules.map { quoted($0) })), ("operation", quoted(outcome.operation)),
    ]
    if let service, let asked = outcome.serviceRequest {
      members.append(
        (
          "service",
          object([
            ("name", quoted(service)), ("shadow", "\(isServiceInShadow)"), ("server", quoted(asked.server)),
            ("target", quoted(asked.target)),
            ("headers", list(askedFields.map { object([("name", quoted($0.name)), ("value", quoted($0.value))]) })),
          ])
        ))
    }
    if let sent = outcome.upstreamRequest {
      members.append(
        (
          "upstream",
          object([
            ("name", quoted(outcome.upstream)), ("server", quoted(sent.server)), ("target", quoted(sent.target)),
            (
              "headers",
              list(
                sentFields.map { field in
                  object([
                    ("name", quoted(field.name)), ("value", quoted(field.value)),
                    ("origin", quoted(field.origin.rawValue)),
                  ])
                })
            ),
          ])
        ))
    } else {
      members.append(("status", "\(outcome.status)"))
    }
    members.append(("code", quoted(outcome.code)))
    members.append(("shadow_code", quoted(outcome.shadowCode)))
    if let place = RehearsedOutcome.value(of: "Location", in: outcome.fields) {
      members.append(("location", quoted(place)))
    }
    return object(members) + "\n"
  }

  private func quoted(_ text: String?) -> String { text.map(JSONWriter.quoted) ?? "null" }

  private func list(_ items: [String]) -> String { "[\(items.joined(separator: ","))]" }

  private func object(_ members: [(String, String)]) -> String {
    "{" + members.map { "\(JSONWriter.quoted($0.0)):\($0.1)" }.joined(separator: ",") + "}"
  }
}
