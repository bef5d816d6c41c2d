// The demo's page in a real browser: sign in by a deep link, in two tabs, the same call with a session and a token, and
// sign out.

import Foundation
import TestSupport
import Testing

@Suite("Sign in with a browser", .timeLimit(.minutes(10)))
struct LoginBrowserTests {
  @Test(
    "A person signs in by a deep link and in two tabs, is known, and is known no more after signing out",
    .enabled(if: WebDriver.isInstalled, "chromium-driver is not installed"))
  func person() async throws {
    let (demo, home) = try await startDemo()
    let browser = try await WebDriver.start()

    // Two tabs, each on its way to a page of its own.
    let first = try await browser.tab()
    try await browser.open(home + "me/one?x=1")
    #expect(try await browser.text(of: "h1") == "Sign in to the demo")
    let second = try await browser.openTab()
    try await browser.open(home + "me/two")
    try await browser.click("button[value=grace]")
    try await poll("the page of the second tab") { try await browser.url() == home + "me/two" }
    #expect(try await browser.source().contains("\"X-User-Id\": \"grace\""))
    try await browser.use(first)
    try await browser.click("button[value=ada]")
    try await poll("the page of the first tab") { try await browser.url() == home + "me/one?x=1" }
    #expect(try await browser.source().contains("\"X-User-Id\": \"ada\""))

    try await browser.use(second)
    try await browser.open(home)
    try await wait(browser, "#who", for: "You are ada (ada@example.com).")
    let cookies = try await browser.cookies()
    #expect(cookies.contains("\"name\":\"__Host-session\"") && !cookies.contains("__Secure-login-"))
    #expect(cookies.contains("\"httpOnly\":true") && cookies.contains("\"secure\":true"))
    try await browser.click("#session")
    try await wait(browser, "#answer", for: "\"X-User-Id\": \"ada\"")
    #expect(try await !browser.text(of: "#answer").contains("__Host-session"))
    try await browser.click("#token")
    try await wait(browser, "#answer", for: "200")

    try await browser.click("#out")
    try await wait(browser, "#who", for: "Nobody has signed in.")
    try await browser.click("#session")
    try await wait(browser, "#answer", for: "session_")
    try await browser.open(home + "me/three")
    #expect(try await browser.text(of: "h1") == "Sign in to the demo")
    try await browser.click("button[name=deny]")
    try await poll("the refusal") { try await browser.source().contains("login_refused") }

    await browser.quit()
    demo.kill(SIGINT)
    #expect(try await demo.waitForExit() == 0)
  }

  private func startDemo() async throws -> (ChildProcess, home: String) {
    let demo = try ChildProcess.start(
      try GatewayProcess.binary(), ["demo", "--port", "0", "--tls-port", "0", "--admin-port", "0"])
    let text = try await demo.output.wait(for: "the demo's text") { output in
      output.standardOutput.contains("One line per request follows.") ? output.standardOutput : nil
    }
    let line = try #require(text.first { $0.hasPrefix("Sign in: ") })
    let home = try #require(line.split(separator: " ").first { $0.hasPrefix("https://") }.map(String.init))
    return (demo, home)
  }

  @Test(
    "T112 The provider's token is renewed while the session is used, and a log-out everywhere ends it in all browsers",
    .enabled(if: WebDriver.isInstalled, "chromium-driver is not installed"))
  func everywhere() async throws {
    let (demo, home) = try await startDemo()
    let browser = try await WebDriver.start()
    let other = try await WebDriver.start()
    for browser in [browser, other] {
      try await browser.open(home)
      try await browser.click("#in")
      try await browser.click("button[value=ada]")
      try await wait(browser, "#who", for: "You are ada")
      try await wait(browser, "#renewed", for: "renewed it 0 times")
    }
    try await poll("tokens to be renewed") {
      try await browser.click("#session")
      let text = try await browser.text(of: "#renewed")
      return text.contains("renewed it") && !text.contains(" 0 times")
    }
    try await wait(browser, "#answer", for: "\"X-User-Id\": \"ada\"")
    try await browser.click("#everywhere")
    for browser in [browser, other] {
      try await browser.click("#session")
      try await wait(browser, "#answer", for: "session_")
      try await wait(browser, "#who", for: "Nobody has signed in.")
    }
    await browser.quit()
    await other.quit()
    demo.kill(SIGINT)
    #expect(try await demo.waitForExit() == 0)
  }

  private func wait(_ browser: WebDriver, _ selector: String, for text: String) async throws {
    try await poll("\(text) in \(selector)") { try await browser.text(of: selector).contains(text) }
  }
}
