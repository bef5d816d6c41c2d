// The tests of a file, gone through: each request is brought to the data plane of that file alone.

import Bytes
package import Configuration
import Proxy
import Tokens

package enum FileTests {
  /// Goes through the tests of a configuration.
  /// - Parameter files: as messages name them, by their index in positions.
  /// - Returns: what is not as a test expects it, as errors at the places of the file that say so.
  package static func findings(
    of configuration: GatewayConfiguration, files: [String], unixSeconds: Int64
  ) -> [Diagnostic] {
    if configuration.tests.isEmpty { return [] }
    var credentials = TestCredentials(configuration, unixSeconds: unixSeconds)
    let requests = configuration.tests.map { credentials.request(of: $0) }
    let rehearsal = Rehearsal(
      credentials.configuration.withoutRateLimits, keySets: credentials.keys.sets, unixSeconds: unixSeconds)
    return zip(configuration.tests, requests).flatMap { test, request in
      func finding(_ words: String, _ position: SourcePosition) -> Diagnostic {
        Diagnostic(
          .error, file: files.indices.contains(position.file) ? files[position.file] : "", position: position,
          message: "the test of \(test.request.shown) fails: \(words)")
      }
      guard let request else {
        let key = test.apiKey ?? TestAPIKey()
        let set = configuration.apiKeys[key.set].name
        return [finding("the set of API keys '\(set)' has no key with the id '\(key.id)'", key.position)]
      }
      let outcome = rehearsal.outcome(of: request)
      let route = outcome.routeIndex.map { configuration.routes[$0] }
      return test.expected.differences(from: outcome, route).map { difference in
        finding(difference.words, test.expected.position(of: difference.key))
      }
    }
  }
}

extension TestRequest {
  /// As the file has it.
  package var shown: String { "'\(method) \(isSecure ? "https" : "http")://\(authority)\(target)'" }
}

extension TestExpectation {
  /// - Parameters:
  ///   - route: the one that took the request. What its rules write may be secret, and is not shown (T59). Nor is what
  ///     the file expects, which may come from a variable.
  fileprivate func differences(from outcome: RehearsedOutcome, _ route: Route?) -> [(key: String, words: String)] {
    var result: [(key: String, words: String)] = []
    func compareName(_ key: String, _ expected: String?, _ found: String?) {
      guard let expected, expected != found else { return }
      result.append((key, "expected \(key) \(expected), got \(found ?? "none")"))
    }
    func compare(_ key: String, _ name: String, _ expected: String?, _ found: String?, isShown: Bool = true) {
      guard let expected, expected != found else { return }
      let shown = found.map { isShown ? "\(name) \($0)" : "another \(name), which a rule of the file writes" }
      result.append((key, "got \(shown ?? "no \(name)")"))
    }
    if let status, status != outcome.status {
      result.append(("status", "expected status \(status), got \(outcome.statusInWords)"))
    }
    compareName("code", code, outcome.code)
    compareName("route", self.route, outcome.route)
    compareName("upstream", upstream, outcome.upstream)
    compare("path", "path", path, outcome.upstreamRequest?.target)
    let upstreamFields = outcome.upstreamRequest?.fields ?? []
    for field in upstreamHeaders {
      compare(
        "upstream_headers", "\(field.name):", field.value, RehearsedOutcome.value(of: field.name, in: upstreamFields),
        isShown: route?.requestHeaders.writes(field.name) != true)
    }
    for name in withHeaders where RehearsedOutcome.value(of: name, in: upstreamFields) == nil {
      result.append(("with_headers", "the upstream does not get \(name)"))
    }
    for name in withoutHeaders where RehearsedOutcome.value(of: name, in: upstreamFields) != nil {
      result.append(("without_headers", "the upstream gets \(name)"))
    }
    compare("location", "Location:", location, RehearsedOutcome.value(of: "Location", in: outcome.fields))
    for field in headers {
      compare(
        "headers", "\(field.name):", field.value, RehearsedOutcome.value(of: field.name, in: outcome.fields),
        isShown: route?.responseHeaders.writes(field.name) != true)
    }
    return result
  }
}

extension HeaderRules {
  /// Whether a rule of the file gives a field its value.
  package func writes(_ name: String) -> Bool {
    (set + add).contains { $0.name.lowercased() == name.lowercased() }
  }
}

extension RehearsedOutcome {
  /// The status, and why the request was refused.
  package var statusInWords: String {
    guard let code else { return "\(status)" }
    let detail = notice.map { notice in
      [
        notice.detail.expected.isEmpty ? nil : "expected \(notice.detail.expected)",
        notice.detail.got.isEmpty ? nil : "got \(notice.detail.got)",
      ].compactMap { $0 }.joined(separator: ", ")
    }
    return "\(status), \(code)" + (detail.map { $0.isEmpty ? "" : " (\($0))" } ?? "")
  }
}
