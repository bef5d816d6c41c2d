// What the tests of this target share: reading a text with a made-up file system, and a dump of the model that a person
// can read in a golden file.

import Foundation
import Tokens

@testable import Configuration

/// The folder of this file's tests, and the repository above it.
enum Tree {
  static let tests = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/") ?? #filePath.endIndex))
  static let repository = tests.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 }

  static func text(_ path: String) throws -> String {
    String(decoding: try readWholeFile(path.hasPrefix("/") ? path : repository + "/" + path), as: UTF8.self)
  }
}

/// Files and variables that exist in the cases.
enum World {
  static let files: [String: String] = [
    "/etc/catraca/keys/secret.json":
      #"{"keys":[{"kty":"oct","k":"#
      + #""AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}"#,
    "/etc/catraca/keys/partner.json": #"{"keys":[{"kty":"EC","crv":"P-256","#
      + #""x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
    "/etc/catraca/pages/404.html": "<p>{code}</p>\n",
    "/etc/catraca/pages/404.html.gz": "",
    "/etc/catraca/keys/broken.json": "<html>",
    "/etc/catraca/tls/ca.crt": "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
    "/run/secrets/token":
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\n",
    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt":
      "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
    "/var/run/secrets/kubernetes.io/serviceaccount/token": "token\n",
    "/etc/catraca/keys/client.pem": "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n",
    "/run/secrets/redis": "a-word-for-redis\n",
    "/run/secrets/introspection": "a-word-for-the-issuer\n",
    "/run/secrets/two-lines": "one\ntwo\n",
    "/run/secrets/empty": "\n",
  ]

  static let environment = [
    "PORT": "8088", "EMPTY": "", "HOST": "10.1.2.3", "INJECT": "x, auth: public",
    "API_KEY": "a secret of 24 characters",
  ]

  /// - Parameter others: files beside those of all cases, by their path in the configuration's folder.
  static func read(
    _ text: String, _ others: [String: String] = [:], environment: [String: String] = environment
  ) -> Result<ConfigurationReader.Loaded, ConfigurationErrors> {
    let folder = "/etc/catraca"
    let files = files.merging(others.map { (folder + "/" + $0, $1) }) { $1 }
    return ConfigurationReader.read(
      text: text, file: "gateway.conf", folder: folder, path: folder + "/gateway.conf", environment: environment,
      readFile: { path in
        guard let text = files[path] else { throw FileReadError(description: "No such file or directory") }
        return Array(text.utf8)
      },
      listFolder: { path in
        let names = (files.keys + [folder + "/gateway.conf"]).filter { $0.hasPrefix(path + "/") }
          .map { String($0.dropFirst(path.count + 1)) }.filter { !$0.contains("/") }
        if names.isEmpty { throw FileReadError(description: "No such file or directory") }
        return names
      },
      kindOfPath: { path in
        if files[path] != nil { return .other }
        if path.hasPrefix("/no/such") { return .missing }
        return path == folder || path.hasSuffix("/") ? .folder : nil
      })
  }

  /// The messages of a text, errors and warnings, or none.
  static func messages(_ text: String, _ others: [String: String] = [:]) -> [String] {
    switch read(text, others) {
    case .success(let loaded): loaded.warnings.map(\.description)
    case .failure(let errors): errors.diagnostics.map(\.description)
    }
  }

  static func configuration(_ text: String, _ others: [String: String] = [:]) -> GatewayConfiguration? {
    guard case .success(let loaded) = read(text, others) else { return nil }
    return loaded.configuration
  }
}

/// Sections that the file left as they are by default stay out of the golden files.
private func isDefault(_ value: Any) -> Bool {
  switch value {
  case let value as Limits: value == Limits()
  case let value as AccessLog: value == AccessLog()
  case let value as Identity: value == Identity()
  case let value as Rewrite: value == Rewrite()
  case let value as HeaderRules: value == HeaderRules()
  case let value as ChallengeRules: value == ChallengeRules()
  case let value as ErrorPages: value == ErrorPages()
  default: false
  }
}

/// A value as indented lines: members by name, nothing for nil and empty lists, sets sorted.
func dump(_ value: Any, indent: String = "") -> String {
  if let bytes = value as? [UInt8] { return " " + String(decoding: bytes, as: UTF8.self) + "\n" }
  if let algorithms = value as? Set<SignatureAlgorithm> {
    return " " + algorithms.map(\.rawValue).sorted().joined(separator: " ") + "\n"
  }
  if let text = value as? String { return " " + text.replacingOccurrences(of: "\n", with: "\\n") + "\n" }
  if let text = value as? any CustomStringConvertible & Hashable, !(value is [AnyHashable]) { return " \(text)\n" }
  let mirror = Mirror(reflecting: value)
  switch mirror.displayStyle {
  case .optional:
    return mirror.children.first.map { dump($0.value, indent: indent) } ?? ""
  case .collection:
    return "\n" + mirror.children.map { "\(indent)-" + dump($0.value, indent: indent + "  ") }.joined()
  case .enum where mirror.children.isEmpty:
    return " .\(value)\n"
  case .enum:
    let child = mirror.children.first
    return " .\(child?.label ?? "")" + dump(child?.value ?? "", indent: indent + "  ")
  case .struct, .tuple:
    return "\n"
      + mirror.children.compactMap { child -> String? in
        let inner = Mirror(reflecting: child.value)
        let isEmpty = inner.children.isEmpty && [.optional, .collection, .set].contains(inner.displayStyle)
        return isEmpty || isDefault(child.value)
          ? nil : "\(indent)\(child.label ?? ""):" + dump(child.value, indent: indent + "  ")
      }.joined()
  default:
    return " \(value)\n"
  }
}
