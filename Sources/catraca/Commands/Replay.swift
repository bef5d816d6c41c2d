// `catraca replay`: what another file would do with the requests of an access log.

import ArgumentParser
import Configuration
import FoundationEssentials
import Glibc
import JSON
import Rehearsal

struct ReplayLog: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Say what another file would change for the requests of an access log.",
    discussion: """
      The log is one of format json. Requests go through the checks of a gateway with the file, and to nobody else. A \
      log has no tokens: a caller who has passed is taken to have the scopes and claims that a route requires.

      Exit codes: 0 if every request would be let through or refused as before, 1 if one would not or a file cannot be \
      read, 64 for a command line that is not valid.
      """)

  @Argument(help: "The access log. - is standard input.")
  var log: String

  @Argument(help: "The configuration file. (default: gateway.conf)")
  var file: String?

  @Flag(help: "Write JSON, an object a line.")
  var json = false

  func run() throws {
    let file = try configurationFile(file, for: "replay")
    let environment = ProcessInfo.processInfo.environment
    let loaded = try readOrExit { loadTested(path: file, environment: environment, runsTests: false) }
    var replay = Replay(loaded.configuration, unixSeconds: Int64(time(nil)))
    do {
      try forEachLine(of: log) { replay.take($0) }
    } catch {
      printError("catraca: \(log) cannot be read: \(error)")
      throw ExitCode(1)
    }
    try writeOutputOrExit(json ? Self.objects(replay) : Self.text(replay))
    let isDecidedOtherwise =
      replay.otherCount > 0 || replay.changes.contains { $0.change.codeBefore != $0.change.codeNow }
    if isDecidedOtherwise { throw ExitCode(1) }
  }

  private static func text(_ replay: Replay) -> String {
    let foreign = replay.foreignCount
    let known = replay.lineCount - foreign
    var lines = [
      "\(known) requests: \(known - replay.changedCount) as before, \(replay.changedCount) otherwise"
        + (foreign > 0 ? ". \(foreign) lines are not of an access log in JSON" : "")
    ]
    for group in replay.changes {
      let change = group.change
      let routes =
        change.routeBefore == change.routeNow
        ? "route \(shown(change.routeNow))" : "route \(shown(change.routeBefore)) → \(shown(change.routeNow))"
      let codes =
        change.codeBefore == change.codeNow
        ? (change.codeNow ?? "passes")
        : "\(change.codeBefore ?? "passed") → \(change.codeNow ?? "passes")"
      let samples = group.samples.map { "line \($0.line): \($0.request)" }.joined(separator: ", ")
      lines.append("\(group.count)  \(routes), \(codes)   (\(samples))")
    }
    if replay.otherCount > 0 { lines.append("\(replay.otherCount)  in other ways") }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func shown(_ route: String) -> String { route.isEmpty ? "none" : route }

  private static func objects(_ replay: Replay) -> String {
    replay.changes.map { group in
      let change = group.change
      func quoted(_ text: String?) -> String { text.map(JSONWriter.quoted) ?? "null" }
      let samples = group.samples.map { "{\"line\":\($0.line),\"request\":\(quoted($0.request))}" }
      return "{\"count\":\(group.count),\"route_before\":\(quoted(change.routeBefore)),"
        + "\"route_now\":\(quoted(change.routeNow)),\"code_before\":\(quoted(change.codeBefore)),"
        + "\"code_now\":\(quoted(change.codeNow)),\"samples\":[\(samples.joined(separator: ","))]}\n"
    }.joined()
  }
}
