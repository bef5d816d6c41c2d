// Paths that a route keeps as they are reach a store under the names that they have, and open nothing else.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct KeptPathTests {
  private static let keys = "auth: public, encoded_slash: keep, merge_slashes: false"

  @Test("T117: A store behind a route that keeps its paths has each name that was written, and no other")
  func names() async throws {
    let store = try await PathSilenceTests.Store(Self.keys)
    let names = [
      "/one/a/b", "/one/a//b", "/one//lead", "/one/x//", "/one/group%2Frepo", "/one/group/repo", "/one/back%5Cslash",
      "/one/%2F", "/one/https://example.com/x.png",
    ]
    for name in names { #expect(try await store.put(name, "of \(name)").status == 200, "\(name)") }
    #expect(store.objects.current.keys.sorted() == names.sorted())
    for name in names { #expect(try await store.gateway.get(name).text == "of \(name)", "\(name)") }
    #expect(try await store.gateway.get("/one/a//b", method: "DELETE").status == 200)
    #expect(try await store.gateway.get("/one/a/b").text == "of /one/a/b")
    for name in ["/one/..%2Fk", "/one/%2e%2e%2fk", "/one/a%5C.."] {
      #expect(try await store.put(name, "").code == "path_encoded_slash", "\(name)")
    }
    for name in ["/one/..//k", "//one/k", "/one/./k"] {
      #expect(try await store.put(name, "").code == "path_not_normal", "\(name)")
    }
  }

  @Test(
    "T117: The log has a kept path as the upstream got it and as it was matched, and a refused one as it was written")
  func log() async throws {
    let store = try await PathSilenceTests.Store(Self.keys)
    for target in ["/a//b?token=secret", "/c/%2f?token=secret", "/d/..%2f?token=secret", "//e?token=secret"] {
      _ = try await store.gateway.get(target)
    }
    let lines = try await store.gateway.waitForAccessLog(4)
    let expected = [("/a//b", "/a/b"), ("/c/%2F", nil), ("/d/..%2f", nil), ("//e", "/e")]
    for (line, (path, matched)) in zip(lines, expected) {
      let both = "\"path\":\"\(path)\"," + (matched.map { "\"matched_path\":\"\($0)\"," } ?? "") + "\"protocol\""
      #expect(line.contains(both), "\(line)")
      #expect(!line.contains("secret"))
    }
  }

  @Test("Over HTTP/2 kept paths reach the upstream as they are")
  func http2() async throws {
    let store = try await PathSilenceTests.Store(Self.keys)
    let client = try await store.gateway.connect()
    let paths = ["/a//b", "/group%2frepo/x", "/p/https://example.com/"]
    try await client.send(Frames.preface + Frames.settings())
    for (index, path) in paths.enumerated() {
      try await client.send(Frames.headers(UInt32(index * 2 + 1), Frames.get(path), end: true))
    }
    _ = try await store.gateway.waitForAccessLog(3)
    #expect(Set(store.upstream.requests.map(\.target)) == ["/a//b", "/group%2Frepo/x", "/p/https://example.com/"])
  }
}
