// What routes have from other files, groups and defaults, through the running gateway.

import Foundation
import TestSupport
import Testing

@Suite("Included files and inherited keys")
struct InheritedKeyTests {
  private static let main = """
    include: routes.d/*.conf
    defaults: { response_headers: { set: { X-All: all, X-Some: all } } }
    routes:
      - path: /group/*
        auth: public
        response_headers: { set: { X-Some: group } }
        respond: { status: 200, body: group }
        routes:
          - methods: [GET]
          - { path: /group/own, respond: { status: 202 } }
          - { path: /group/bare, without: [response_headers] }
    """
  private static let other = "routes: [{ path: /other, auth: public, respond: { status: 200, body: other } }]\n"

  @Test("Requests are answered as if each route had written out what it inherits, and a reload reads every file again")
  func answers() async throws {
    let gateway = try await GatewayProcess.start(Self.main, files: ["routes.d/a.conf": Self.other])
    let group = try await gateway.get("/group/x")
    #expect(group.text == "group")
    #expect(group["X-All"] == "all")
    #expect(group["X-Some"] == "group")
    let own = try await gateway.get("/group/own")
    #expect(own.status == 202)
    #expect(own["X-Some"] == "group")
    #expect(try await gateway.get("/group/bare")["X-All"] == nil)
    #expect(try await gateway.get("/group/x", method: "DELETE").status == 405)
    let other = try await gateway.get("/other")
    #expect(other.text == "other")
    #expect(other["X-Some"] == "all")

    let file = gateway.folder.appending(path: "routes.d/a.conf")
    try Data(Self.other.replacing("body: other", with: "body: new").utf8).write(to: file)
    #expect(try await gateway.reload().status == 200)
    #expect(try await gateway.get("/other").text == "new")
    try Data("routes: [{ path: /other }]\n".utf8).write(to: file)
    let refused = try await gateway.reload()
    #expect(refused.status == 422)
    #expect(refused.text.hasPrefix("routes.d/a.conf:1:10: a route has no 'auth'"), "\(refused.text)")
    #expect(try await gateway.get("/other").text == "new")
  }
}
