// What a service manager gives and expects: listening sockets, and words about the process's state.

import Foundation
import TestSupport
import Testing

@Suite("Service manager", .timeLimit(.minutes(10)))
struct ServiceManagerTests {
  /// Runs a command with listening sockets on free ports as descriptors from 3 on, as systemd does.
  private static let activation = """
    import os, socket, sys
    sockets = []
    for number in range(int(sys.argv[1])):
        opened = socket.socket()
        opened.bind(("127.0.0.1", 0))
        if sys.argv[2] == "listening": opened.listen(64)
        sockets.append(opened)
    with open("ports", "w") as file: file.write(" ".join(str(s.getsockname()[1]) for s in sockets))
    text = open("gateway.conf").read()
    for s in sockets: text = text.replace("PORT", str(s.getsockname()[1]), 1)
    open("gateway.conf", "w").write(text)
    for number, opened in enumerate(sockets): os.dup2(opened.fileno(), 103 + number)
    for number in range(len(sockets)): os.dup2(103 + number, 3 + number, inheritable=True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)))
    os.execv(sys.argv[3], sys.argv[3:])
    """

  private func start(
    _ configuration: String, sockets: Int, kind: String = "listening"
  ) async throws -> GatewayProcess {
    try await GatewayProcess.start(
      configuration, files: ["activate.py": Self.activation],
      launcher: ["/usr/bin/python3", "activate.py", "\(sockets)", kind])
  }

  @Test("Listeners take the sockets that a service manager passes, whatever the number of workers", arguments: [1, 3])
  func sockets(workers: Int) async throws {
    let gateway = try await start(
      """
      workers: \(workers)
      listeners: [{ address: "127.0.0.1:PORT" }]
      routes: [{ path: "/*", auth: public, respond: { status: 200, body: ok } }]
      """, sockets: 1)
    for _ in 0..<10 { #expect(try await gateway.get("/").text == "ok") }
    let passed = try String(contentsOf: gateway.folder.appending(path: "ports"), encoding: .utf8)
    #expect(passed == "\(gateway.port)")
  }

  @Test("A socket that is no listener's, or no listening socket, is a mistake that the start reports")
  func mistakes() async throws {
    let configuration = """
      listeners: [{ address: "127.0.0.1:0" }]
      routes: [{ path: "/*", auth: public, respond: { status: 200, body: ok } }]
      """
    for (kind, words) in [("listening", "no listener has that address"), ("bound", "is not a listening socket")] {
      do {
        _ = try await start(configuration, sockets: 1, kind: kind)
        Issue.record("it started with a socket that is \(kind)")
      } catch let failure as GatewayProcess.StartFailure {
        #expect(failure.description.contains(words), "\(failure)")
      }
    }
  }

  /// Prints each message that comes to a socket of datagrams.
  private static let listening = """
    import socket, sys
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    opened.bind(sys.argv[1])
    print("bound", flush=True)
    while True: print(opened.recv(4096).decode().replace("\\n", " "), flush=True)
    """

  @Test("The service manager learns that the gateway is ready, lives, reloads and stops", arguments: [false, true])
  func notifications(isAbstract: Bool) async throws {
    let name = "catraca-\(UUID().uuidString)"
    let folder = FileManager.default.temporaryDirectory.path
    let bound = isAbstract ? "\0\(name)" : "\(folder)/\(name)"
    // An argument cannot hold a zero byte.
    let script = Self.listening.replacing("sys.argv[1]", with: "sys.argv[1].replace('@', chr(0))")
    let manager = try ChildProcess.start(
      "/usr/bin/python3", ["-c", script, bound.replacing("\0", with: "@")])
    _ = try await manager.output.wait(for: "the socket") { $0.standardOutput.contains("bound") ? true : nil }
    let gateway = try await GatewayProcess.start(
      "routes: [{ path: \"/*\", auth: public, respond: { status: 200, body: ok } }]",
      environment: ["NOTIFY_SOCKET": bound.replacing("\0", with: "@"), "WATCHDOG_USEC": "200000"])
    func wait(_ words: String, _ count: Int = 1) async throws {
      _ = try await manager.output.wait(for: words) { output in
        output.standardOutput.count { $0.hasPrefix(words) } >= count ? true : nil
      }
    }
    try await wait("READY=1 STATUS=1 route, 0 issuers, gateway.conf")
    try await wait("WATCHDOG=1", 3)
    #expect(try await gateway.reload().status == 200)
    try await wait("RELOADING=1 MONOTONIC_USEC=")
    try await wait("READY=1", 2)
    gateway.terminate()
    try await wait("STOPPING=1")
    #expect(try await gateway.waitForExit() == 0)
    if !isAbstract { try? FileManager.default.removeItem(atPath: bound) }
  }
}
