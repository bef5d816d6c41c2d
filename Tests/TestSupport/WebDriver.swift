// A browser that a test drives, by W3C's WebDriver protocol: Chromium behind Debian's chromedriver.

import Bytes
import Foundation
import JSON
import Testing

/// One browser window, with tabs. Quits with ``quit()``, or with the driver.
package final class WebDriver: Sendable {
  private let driver: ChildProcess
  private let port: Int
  private let session: String

  package static let isInstalled = ChildProcess.isInstalled("chromedriver") && ChildProcess.isInstalled("chromium")

  private init(driver: ChildProcess, port: Int, session: String) {
    self.driver = driver
    self.port = port
    self.session = session
  }

  /// A browser that takes every certificate.
  package static func start() async throws -> WebDriver {
    let (driver, port) = try await startDriver()
    let wishes: JSONValue = [
      "capabilities": [
        "alwaysMatch": [
          "acceptInsecureCerts": true, "browserName": "chrome",
          "goog:chromeOptions": [
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
          ],
        ]
      ]
    ]
    let made = try await ask(port, "POST", "/session", wishes)
    let id = made.member("sessionId".utf8.span, of: try value(of: made)).flatMap { made.string(at: $0) }
    return WebDriver(
      driver: driver, port: port, session: try #require(id, "\(String(decoding: made.bytes, as: UTF8.self))"))
  }

  /// The driver takes a port that is free for IPv4, and gives up if somebody has it for IPv6: then another one may not.
  private static func startDriver() async throws -> (ChildProcess, port: Int) {
    while true {
      let driver = try ChildProcess.start("/usr/bin/env", ["chromedriver", "--port=0"])
      let port = try await driver.output.wait(for: "chromedriver's port") { output -> Int? in
        let port = output.standardOutput.lazy.compactMap { line in
          line.contains("started successfully on port ")
            ? Int(line.split(separator: " ").last?.filter(\.isNumber) ?? "") : nil
        }.first
        let isTaken = output.status != nil && output.standardError.contains { $0.contains("Address already in use") }
        return port ?? (isTaken ? 0 : nil)
      }
      if port > 0 { return (driver, port) }
    }
  }

  package func quit() async {
    _ = try? await Self.ask(port, "DELETE", "/session/\(session)")
    driver.kill(SIGTERM)
    _ = try? await driver.waitForExit()
  }

  // MARK: Pages

  package func open(_ url: String) async throws { _ = try await ask("POST", "/url", ["url": .string(url)]) }

  package func url() async throws -> String { try await text("/url") }

  /// The page's source.
  package func source() async throws -> String { try await text("/source") }

  /// The text of the first element that a selector finds.
  package func text(of selector: String) async throws -> String {
    try await text("/element/\(try await find(selector))/text")
  }

  package func click(_ selector: String) async throws {
    _ = try await ask("POST", "/element/\(try await find(selector))/click", [:])
  }

  /// Cookies of the page, as JSON.
  package func cookies() async throws -> String {
    String(decoding: try await Self.ask(port, "GET", "/session/\(session)/cookie").bytes, as: UTF8.self)
  }

  // MARK: Tabs

  package func tab() async throws -> String { try await text("/window") }

  /// A new tab, which is used from now on.
  package func openTab() async throws -> String {
    let made = try await ask("POST", "/window/new", ["type": "tab"])
    let handle = made.member("handle".utf8.span, of: try Self.value(of: made)).flatMap { made.string(at: $0) }
    let tab = try #require(handle)
    try await use(tab)
    return tab
  }

  package func use(_ tab: String) async throws { _ = try await ask("POST", "/window", ["handle": .string(tab)]) }

  // MARK: The protocol

  /// What could not be asked of the driver.
  private struct Failure: Error {
    var command: String
    var what: String
  }

  private func find(_ selector: String) async throws -> String {
    let found = try await ask("POST", "/element", ["using": "css selector", "value": .string(selector)])
    // The one name that WebDriver has for elements.
    let name = "element-6066-11e4-a52e-4f735466cecf"
    let element = found.member(name.utf8.span, of: try Self.value(of: found)).flatMap { found.string(at: $0) }
    if let element { return element }
    throw Failure(command: "find \(selector)", what: "\(try await url()): \(try await source())")
  }

  private func text(_ path: String) async throws -> String {
    let answer = try await Self.ask(port, "GET", "/session/\(session)\(path)")
    return answer.string(at: try Self.value(of: answer)) ?? String(decoding: answer.bytes, as: UTF8.self)
  }

  private func ask(_ method: String, _ path: String, _ body: JSONValue) async throws -> JSONDocument {
    try await Self.ask(port, method, "/session/\(session)\(path)", body)
  }

  private static func ask(
    _ port: Int, _ method: String, _ path: String, _ body: JSONValue? = nil
  ) async throws -> JSONDocument {
    let text = body?.text ?? ""
    do {
      let response = try await RawClient.connect(port: port).exchange(
        "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Type: application/json\r\n"
          + "Content-Length: \(text.utf8.count)\r\nConnection: close\r\n\r\n" + text, method: method)
      return try JSONDocument(response.body)
    } catch {
      throw Failure(command: "\(method) \(path) \(text)", what: "\(error)")
    }
  }

  private static func value(of answer: JSONDocument) throws -> JSONDocument.Index {
    let value = answer.member("value".utf8.span, of: answer.root)
    return try #require(value)
  }
}
