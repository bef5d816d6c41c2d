// Which folders are watched for a configuration, and that their changes wake the one who waits.

import Configuration
import Foundation
import Testing

@testable import ControlPlane

@Suite("Watched folders", .timeLimit(.minutes(5)))
struct WatchedFolderTests {
  /// A folder that is gone after the test. Its path leads through no links.
  private final class Place {
    let path: String

    init() throws {
      let url = FileManager.default.temporaryDirectory.appending(path: "catraca-watch-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      path = url.resolvingSymlinksInPath().path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func folder(_ name: String) throws {
      try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
    }

    func write(_ name: String, _ text: String = "x") throws {
      try Data(text.utf8).write(to: URL(filePath: path + "/" + name))
    }

    func link(_ name: String, to target: String) throws {
      try FileManager.default.createSymbolicLink(atPath: path + "/" + name, withDestinationPath: target)
    }

    /// Folders of a file, below this one.
    func folders(of name: String) -> Set<String> {
      var sources = ConfigurationSources()
      sources.files[path + "/" + name] = .missing
      return Set(WatchedFolders.of(sources).map { $0 == path ? "." : String($0.dropFirst(path.count + 1)) })
    }
  }

  @Test("A file's own folder is watched, and the folder of each link on the way")
  func links() throws {
    let place = try Place()
    try place.folder("v1")
    try place.folder("other")
    try place.write("v1/gateway.conf")
    try place.link("..data", to: "v1")
    try place.link("gateway.conf", to: "..data/gateway.conf")
    try place.link("other/far.conf", to: place.path + "/gateway.conf")
    #expect(place.folders(of: "v1/gateway.conf") == ["v1"])
    #expect(place.folders(of: "gateway.conf") == [".", "v1"])
    #expect(place.folders(of: "..data/gateway.conf") == [".", "v1"])
    #expect(place.folders(of: "other/far.conf") == ["other", ".", "v1"])
  }

  @Test("In place of what does not exist, the folder is watched where it would appear")
  func missing() throws {
    let place = try Place()
    #expect(place.folders(of: "none.conf") == ["."])
    #expect(place.folders(of: "a/b/none.conf") == ["."])
    try place.folder("a")
    #expect(place.folders(of: "a/b/none.conf") == ["a"])
    try place.link("circle", to: "circle")
    #expect(place.folders(of: "circle/none.conf") == ["."])
  }

  @Test("Each change of a name, and each file that was written and closed, wakes the one who waits")
  func changes() async throws {
    let place = try Place()
    try place.folder("routes.d")
    let watch = FolderWatch()
    #expect(watch.watch([place.path, place.path + "/routes.d", place.path + "/none"]) == nil)
    var changes = watch.changes.makeAsyncIterator()
    let path = place.path
    let steps: [() throws -> Void] = [
      { try place.write("a") }, { try place.write("a", "longer") },
      { try FileManager.default.moveItem(atPath: path + "/a", toPath: path + "/b") },
      { try FileManager.default.removeItem(atPath: path + "/b") }, { try place.link("l", to: "routes.d") },
      { try place.write("routes.d/a") }, { try FileManager.default.removeItem(atPath: path + "/routes.d") },
      { watch.lookAgain() },
    ]
    for step in steps {
      try step()
      #expect(await changes.next() != nil)
    }
  }

  @Test("What was read is compared with what is there now")
  func signatures() throws {
    let place = try Place()
    try place.folder("routes.d")
    try place.write("gateway.conf", "include: routes.d/*.conf\n")
    let path = place.path + "/gateway.conf"
    func read() -> ConfigurationSources {
      switch ConfigurationReader.load(path: path, environment: [:], checkCertificates: { _ in [] }) {
      case .success(let loaded): loaded.sources
      case .failure(let errors): errors.sources
      }
    }
    let empty = read()
    #expect(empty.current() == empty)
    try place.write("routes.d/a.off")
    #expect(empty.current() == empty)
    try place.write("routes.d/a.conf", "x-a: 1\n")
    #expect(empty.current() != empty)
    let one = read()
    #expect(one.current() == one)
    try place.write("routes.d/a.conf", "x-a: 12\n")
    #expect(one.current() != one)
    try FileManager.default.removeItem(atPath: place.path + "/routes.d")
    let gone = read()
    #expect(gone.current() == gone)
    #expect(gone != one)
  }
}
