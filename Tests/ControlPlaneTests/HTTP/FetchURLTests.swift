// URLs of documents: what is taken, what is refused, and that nothing is tidied.

import Testing

@testable import ControlPlane

@Suite struct FetchURLTests {
  @Test(
    "A URL is cut into host, port and target",
    arguments: [
      ("https://idp.test", true, "idp.test", 443, "/", "idp.test"),
      ("http://idp.test/keys?a=b", false, "idp.test", 80, "/keys?a=b", "idp.test"),
      ("HTTPS://IdP.Test:8443/K", true, "idp.test", 8443, "/K", "idp.test:8443"),
      ("https://idp.test?x", true, "idp.test", 443, "/?x", "idp.test"),
      ("http://[::1]:80/", false, "::1", 80, "/", "[::1]"),
      ("http://127.0.0.1:1/", false, "127.0.0.1", 1, "/", "127.0.0.1:1"),
      ("http://4f3a2b1c0d9e/", false, "4f3a2b1c0d9e", 80, "/", "4f3a2b1c0d9e"),
    ] as [(String, Bool, String, UInt16, String, String)])
  func good(text: String, isSecure: Bool, host: String, port: UInt16, target: String, authority: String) throws {
    let url = try #require(FetchURL(text))
    #expect(url.isSecure == isSecure)
    #expect(url.host == host)
    #expect(url.port == port)
    #expect(url.target == target)
    #expect(url.authority == authority)
    #expect(url.text == text)
  }

  @Test(
    "T73 The path is used as it is",
    arguments: ["//keys", "/a//b/", "/a/../b", "/%2e%2e/x", "/a;b=c?d=//e", "/a?x=%00"])
  func verbatim(target: String) throws {
    #expect(try #require(FetchURL("https://idp.test" + target)).target == target)
  }

  @Test(
    "T52 What could break out of a request's head, or is no URL, is refused",
    arguments: [
      "", "idp.test/keys", "ftp://idp.test/", "file:///etc/passwd", "https://", "https:///x", "http://a b/",
      "http://a/\r\nX: y", "http://a/\n", "http://a/\0", "http://user@a/", "http://u:p@a/", "http://a/#f",
      "http://a:0/", "http://a:65536/", "http://a:/", "http://a:+1/", "http://[::1/", "http://[]/", "http://[a]/",
      "http://[1:2]/", "http://[::1::]/", "http://[::1.2.3]/", "http://[12345::]/",
      "http://a\\b/", "http://ä/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/",
      "http://010.0.0.1/", "http://1.2.3.4.5/", "http://1.2.3.256/",
    ])
  func bad(text: String) { #expect(FetchURL(text) == nil) }

  @Test("T24 Addresses of this machine and this network are known as such")
  func nearby() throws {
    for host in [
      "localhost", "x.localhost", "127.0.0.1", "127.255.0.9", "[::1]", "[0:0:0:0:0:0:0:1]", "[0::0001]",
      "[::ffff:127.0.0.1]",
    ] {
      let url = try #require(FetchURL("http://\(host)/"))
      #expect(url.isLoopback && url.isNearby, "\(host)")
    }
    for host in [
      "10.1.2.3", "192.168.0.1", "172.16.0.1", "172.31.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "[fd00::1]",
      "[fe80::1]", "[::ffff:10.0.0.1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[0::ffff:169.254.169.254]",
      "[64:ff9b::10.0.0.1]",
    ] {
      let url = try #require(FetchURL("http://\(host)/"))
      #expect(!url.isLoopback && url.isNearby, "\(host)")
    }
    for host in ["idp.test", "localhost.test", "172.32.0.1", "8.8.8.8", "128.0.0.1", "[2001:db8::1]", "fd.test"] {
      let url = try #require(FetchURL("http://\(host)/"))
      #expect(!url.isLoopback && !url.isNearby, "\(host)")
    }
  }
}

@Suite struct CacheControlTests {
  @Test(
    "max-age and the words that forbid reuse are read, whatever is around them",
    arguments: [
      ([], nil, false), (["max-age=300"], 300, false), (["public, Max-Age = \"60\" , must-revalidate"], 60, false),
      (["max-age=100", "max-age=50"], 50, false), (["no-store"], nil, true), (["no-cache, max-age=5"], 5, true),
      (["private=\"no-store\", max-age=-1"], nil, false), (["max-age=99999999999999999999"], .max, false),
      (["max-age"], nil, false), (["max-age="], nil, false), ([",,;=,"], nil, false), (["s-maxage=9"], nil, false),
    ] as [([String], Int64?, Bool)])
  func directives(fields: [String], maxAge: Int64?, isReuseForbidden: Bool) {
    let read = CacheControl(fields: fields)
    #expect(read.maxAgeSeconds == maxAge)
    #expect(read.isReuseForbidden == isReuseForbidden)
  }
}
