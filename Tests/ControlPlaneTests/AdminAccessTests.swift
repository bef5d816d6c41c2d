// Who may ask the admin listener: the rules as values. Tests/ThreatTests/Others/AdminThreatTests.swift sends the same
// over the wire.

import Foundation
import Testing

@testable import Configuration
@testable import ControlPlane

@Suite struct AdminAccessTests {
  private func refusal(
    _ admin: Admin = Admin(), method: String = "GET", isOpen: Bool = false, _ fields: (String, String)...
  ) -> AdminRefusal? {
    admin.refusal(
      of: SmallRequest(method: method, target: "/", fields: fields.map { (name: $0.0, value: $0.1) }), isOpen: isOpen)
  }

  @Test(
    "T81 A host is an IP address, localhost, or a name of the file, with or without a port",
    arguments: [
      ("127.0.0.1:9901", true), ("10.0.0.7", true), ("[::1]:9901", true), ("[::1]", true), ("localhost", true),
      ("LOCALHOST:9901", true), ("localhost.:1", true), ("Admin.Example:80", true), ("admin.example", true),
      ("evil.example", false), ("127.0.0.1.evil.example", false), ("localhost.evil.example", false), ("", false),
      ("admin.example.evil.example", false), ("evil.localhost", false), ("admin.example@evil.example", false),
      ("127.0.0.1@evil.example", false), ("[evil.example]", false), ("127.1", false), ("0x7f000001", false),
      ("evil.example:127.0.0.1", false), ("localhost:80:90", false), ("::1", false),
    ])
  func hosts(host: String, isTaken: Bool) {
    var admin = Admin()
    admin.hosts = ["admin.example"]
    #expect((refusal(admin, ("Host", host)) == nil) == isTaken)
    #expect((refusal(admin, isOpen: true, ("Host", host)) == nil) == isTaken)
    #expect(refusal(admin, ("Host", "127.0.0.1"), ("host", host)) == (isTaken ? nil : .hostNotAllowed))
  }

  @Test("T81 A client without Host is not a browser")
  func withoutHost() { #expect(refusal() == nil) }

  @Test("T81 What changes something comes from no page, or from the listener's own")
  func origins() {
    let host = ("Host", "localhost:9901")
    for origin in ["http://localhost:9901", "https://LOCALHOST:9901"] {
      #expect(refusal(method: "POST", host, ("Origin", origin)) == nil)
    }
    for origin in ["https://evil.example", "null", "", "http://localhost", "http://localhost:9902", "localhost:9901"] {
      #expect(refusal(method: "POST", host, ("Origin", origin)) == .originNotAllowed, "\(origin)")
      #expect(refusal(method: "GET", host, ("Origin", origin)) == nil, "reading is told apart by Host")
    }
    #expect(refusal(method: "POST", ("Origin", "http://")) == .originNotAllowed)
    for site in ["same-origin", "none"] {
      #expect(refusal(method: "POST", host, ("Sec-Fetch-Site", site)) == nil)
    }
    for site in ["cross-site", "same-site", ""] {
      #expect(refusal(method: "POST", host, ("sec-fetch-site", site)) == .originNotAllowed, "\(site)")
    }
    #expect(
      refusal(method: "POST", host, ("Origin", "http://localhost:9901"), ("Origin", "https://evil.example"))
        == .originNotAllowed)
  }

  @Test("A token is shown as Bearer, or as the password of Basic, once")
  func token() {
    var admin = Admin()
    admin.token = "secret:with:colons"
    func basic(_ pair: String) -> String { "Basic " + Data(pair.utf8).base64EncodedString() }
    #expect(refusal(admin) == .tokenMissing)
    #expect(refusal(admin, isOpen: true) == nil)
    for good in [
      "Bearer secret:with:colons", "bearer  secret:with:colons", basic(":secret:with:colons"),
      basic("me:secret:with:colons"),
    ] {
      #expect(refusal(admin, ("Authorization", good)) == nil, "\(good)")
    }
    for bad in [
      "", "Bearer", "Bearer ", "Bearer secret:with:colon", "Bearer secret:with:colonss", "secret:with:colons",
      "Digest secret:with:colons", "Basic secret:with:colons", basic("secret:with:colons"), basic("me:"), basic(""),
      "Basic ####", "Bearer secret:with:colons x",
    ] {
      #expect(refusal(admin, ("Authorization", bad)) == .tokenInvalid, "\(bad)")
    }
    #expect(
      refusal(admin, ("Authorization", "Bearer secret:with:colons"), ("Authorization", "Bearer x")) == .tokenInvalid)
  }

  @Test("A refusal has its code in a field and in the text, and says what to do")
  func response() {
    let refused = AdminRefusal.tokenMissing.response
    #expect(refused.status == 401 && String(decoding: refused.body, as: UTF8.self).hasPrefix("token_missing: "))
    #expect(refused.fields.filter { $0.name == "WWW-Authenticate" }.map { $0.value.prefix(6) } == ["Basic ", "Bearer"])
    let other = AdminRefusal.hostNotAllowed.response
    #expect(other.status == 403 && other.fields.contains { $0 == ("X-Error-Code", "host_not_allowed") })
  }
}
