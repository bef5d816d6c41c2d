// `catraca run --watch`: what changes on disk takes over by itself, and what is bad changes nothing.

import Foundation
import TestSupport
import Testing

@Suite("Watching the configuration", .timeLimit(.minutes(10)))
struct WatchTests {
  private static func file(_ body: String) -> String {
    "include: routes.d/*.conf\nroutes:\n  - { path: /a, auth: public, respond: { status: 200, body: \(body) } }\n"
  }

  private static func other(_ body: String) -> String {
    "routes: [{ path: /b, auth: public, respond: { status: 200, body: \(body) } }]\n"
  }

  private func start(_ files: [String: String] = ["routes.d/b.conf": other("one")]) async throws -> GatewayProcess {
    let gateway = try await GatewayProcess.start(Self.file("one"), files: files, arguments: ["--watch"])
    _ = try await gateway.waitForLog("watching") { $0.contains(" notice watching the configuration") }
    return gateway
  }

  private func wait(for body: String, at path: String, _ gateway: GatewayProcess) async throws {
    try await poll("\(path) to answer \(body)") { try await gateway.get(path).text == body }
  }

  private func path(_ gateway: GatewayProcess, _ name: String) -> String { gateway.folder.appending(path: name).path }

  @Test("A file that is replaced, written in place, added to a pattern or removed from it takes over")
  func changes() async throws {
    let gateway = try await start()
    let client = try await gateway.connect()
    #expect(try await client.get("/a").text == "one")
    try gateway.write(configuration: Self.file("two"))
    try await wait(for: "two", at: "/a", gateway)
    let handle = try FileHandle(forWritingTo: gateway.folder.appending(path: "routes.d/b.conf"))
    try handle.truncate(atOffset: 0)
    try handle.write(contentsOf: Data(Self.other("in-place").utf8))
    try handle.close()
    try await wait(for: "in-place", at: "/b", gateway)
    try gateway.write(file: "routes.d/c.conf", Self.other("three").replacing("/b", with: "/c"))
    try await wait(for: "three", at: "/c", gateway)
    try FileManager.default.removeItem(atPath: path(gateway, "routes.d/c.conf"))
    try await poll("/c to be gone") { try await gateway.get("/c").status == 404 }
    // Nobody was disconnected.
    #expect(try await client.get("/a").text == "two")
    #expect(try await gateway.metrics().sum("catraca_config_last_reload_successful") == 1)
  }

  @Test("A volume of Kubernetes, whose link is moved to another folder, takes over")
  func configMap() async throws {
    let files = ["routes.d/..v1/b.conf": Self.other("one"), "routes.d/..v2/b.conf": Self.other("two")]
    let gateway = try await start(files)
    let manager = FileManager.default
    try manager.createSymbolicLink(atPath: path(gateway, "routes.d/..data"), withDestinationPath: "..v1")
    try manager.createSymbolicLink(atPath: path(gateway, "routes.d/b.conf"), withDestinationPath: "..data/b.conf")
    try await wait(for: "one", at: "/b", gateway)
    try manager.createSymbolicLink(atPath: path(gateway, "routes.d/..tmp"), withDestinationPath: "..v2")
    let moved = try await ChildProcess.run(
      "mv", ["-T", path(gateway, "routes.d/..tmp"), path(gateway, "routes.d/..data")])
    #expect(moved.status == 0)
    try await wait(for: "two", at: "/b", gateway)
  }

  @Test(
    "A file that is half written, deleted or replaced by a folder changes nothing, and is shown until it is good again")
  func bad() async throws {
    let gateway = try await start()
    let name = "routes.d/b.conf"
    let steps: [(reason: String, step: () throws -> Void)] = [
      ("b.conf:1:", { try gateway.write(file: name, "routes: [{ path: /b, auth: pub") }),
      ("b.conf:1:1: the file is empty", { try gateway.write(file: name, "") }),
      (
        "Is a directory",
        {
          try FileManager.default.removeItem(atPath: path(gateway, name))
          try FileManager.default.createDirectory(atPath: path(gateway, name), withIntermediateDirectories: true)
        }
      ),
      (
        "gateway.conf:1:1: cannot be read: No such file or directory",
        { try FileManager.default.removeItem(atPath: path(gateway, "gateway.conf")) }
      ),
    ]
    for (reason, step) in steps {
      try step()
      try await poll("\(reason) in the status") {
        let document = try JSONSerialization.jsonObject(with: Data(try await gateway.admin("/status").body))
        let configuration = (document as? [String: Any])?["configuration"] as? [String: Any]
        let errors = configuration?["last_reload_errors"] as? [String] ?? []
        return errors.contains { $0.contains(reason) } && configuration?["last_reload"] is String
      }
      #expect(try await gateway.metrics().sum("catraca_config_last_reload_successful") == 0)
      #expect(try await gateway.get("/b").text == "one")
      #expect(gateway.standardError.contains { $0.contains(" error ") && $0.contains(reason) })
    }
    try FileManager.default.removeItem(atPath: path(gateway, "routes.d"))
    try FileManager.default.createDirectory(atPath: path(gateway, "routes.d"), withIntermediateDirectories: true)
    try gateway.write(file: name, Self.other("good"))
    try gateway.write(configuration: Self.file("again"))
    try await wait(for: "good", at: "/b", gateway)
    try await gateway.waitForMetrics("the gauge") { $0.sum("catraca_config_last_reload_successful") == 1 }
    #expect(try await gateway.get("/a").text == "again")
  }
}
