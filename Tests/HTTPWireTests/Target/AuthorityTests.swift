// Authorities: what is a host, what is a port.

import Bytes
import HTTPWire
import Testing

struct AuthorityTests {
  @Test(
    "T67 A host with an optional port is an authority",
    arguments: [
      ("a", "a"), ("example.com", "example.com"), ("example.com.", "example.com"), ("EXAMPLE.com:80", "EXAMPLE.com"),
      ("a:", "a"),
      ("a:65535", "a"), ("127.0.0.1:1", "127.0.0.1"), ("[::1]:443", "::1"), ("[::]", "::"),
      ("[2001:db8::1]", "2001:db8::1"),
      ("[::ffff:1.2.3.4]", "::ffff:1.2.3.4"), ("[1:2:3:4:5:6:7:8]", "1:2:3:4:5:6:7:8"), ("[1::8]", "1::8"),
      ("a_b~c", "a_b~c"),
      ("a.:1", "a"), ("[1:2:3:4:5:6:1.2.3.4]", "1:2:3:4:5:6:1.2.3.4"), ("[1::]", "1::"),
    ])
  func good(authority: String, host: String) {
    #expect(isAuthority(authority))
    #expect(HTTPWireTests.host(of: authority) == host)
  }

  @Test(
    "T67 Anything else is not",
    arguments: [
      "", ":80", "a b", "a/b", "u@a", "u:p@a", "a:b", "a:65536", "a:123456", "a:-1", "a:80:80", "::1", "[::1", "[::1]x",
      "[]", "[:]",
      "[:::]", "[1::2::3]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7::8]", "[12345::]", "[::1%25eth0]",
      "[g::]",
      "[1.2.3.4]", "[::1.2.3]", "[::1.2.3.256]", "[::01.2.3.4]", "[v1.a]", ".a", ".", "a,b", "a%41", "ä", "a\u{0}",
      "a?", "a#", "*",
      "a..", "admin.example...", "a..:80", "..", "[1:2:3:4:5:6:7:1.2.3.4]", "[1:]", "[:1]", "a]",
    ])
  func bad(authority: String) {
    #expect(!isAuthority(authority))
  }

  @Test("Ports are read, host names are distinguished from authorities, and long names are refused")
  func parts() {
    #expect(port(of: "a:8080") == 8080)
    #expect(port(of: "[::1]:1") == 1)
    #expect(port(of: "a") == nil)
    #expect(port(of: "a:") == nil)
    #expect(isHostName("a.b"))
    #expect(!isHostName("a.b:1"))
    #expect(!isAuthority(String(repeating: "a", count: 261)))
    #expect(host(of: "") == "")
  }
}
