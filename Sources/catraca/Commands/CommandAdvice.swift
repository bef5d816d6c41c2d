// What to write in place of a command that is misspelt or that another program has.

import Configuration
import FoundationEssentials

enum CommandAdvice {
  private static let foreign: [(words: [String], advice: String)] = [
    (
      ["validate", "verify", "test", "lint", "configtest", "-t", "-T", "--test", "--validate"],
      "write 'catraca check FILE'"
    ),
    (["start", "serve", "server", "up", "-c", "-f", "--config", "--configuration"], "write 'catraca run FILE'"),
    (["-v", "-V", "-vv", "--v", "-version", "about"], "write 'catraca version'"),
    (
      ["reload", "-s", "restart", "upgrade"],
      "send the gateway a signal: SIGHUP reloads, SIGUSR2 upgrades, SIGTERM stops"
    ),
    (["stop", "quit", "drain", "shutdown"], "send the gateway SIGTERM"),
    (["status", "stats", "metrics"], "ask the admin address, such as http://127.0.0.1:9901/status"),
    (["jwt", "mint", "keygen", "inspect", "keyset", "key"], "write 'catraca token --help'"),
  ]

  /// Nil for a command line of which the parser of arguments speaks itself.
  /// - Parameter arguments: without the program's name.
  static func text(for arguments: [String], commands: [String]) -> String? {
    guard let word = arguments.first else { return nil }
    if commands.contains(word) { return ["run", "check"].contains(word) ? fileAdvice(arguments) : nil }
    if let foreign = foreign.first(where: { $0.words.contains(word) }) { return unknown(word, foreign.advice) }
    if word.hasPrefix("-") { return nil }
    if word.contains("/") || word.hasSuffix(".conf") || FileManager.default.fileExists(atPath: word) {
      return unknown(word, "write 'catraca run \(word)', or 'catraca check \(word)'")
    }
    if let near = nearestName(to: word, among: commands) { return unknown(word, "did you mean '\(near)'?") }
    return unknown(word, "the commands are \(commands.joined(separator: ", "))")
  }

  private static func unknown(_ word: String, _ advice: String) -> String {
    "there is no command '\(word)': \(advice)"
  }

  /// `run -c FILE`, as other programs have it.
  private static func fileAdvice(_ arguments: [String]) -> String? {
    guard let option = arguments.dropFirst().first(where: { ["-c", "-f", "--config", "--configuration"].contains($0) })
    else { return nil }
    return "there is no option '\(option)': write 'catraca \(arguments[0]) FILE'"
  }
}
