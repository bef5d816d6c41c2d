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

  /// A service manager's socket, and what came to it.
  private struct Manager {
    let process: ChildProcess
    /// As the gateway is told of it.
    let address: String
    private let path: String?

    init(isAbstract: Bool) async throws {
      let name = "catraca-\(UUID().uuidString)"
      path = isAbstract ? nil : "\(FileManager.default.temporaryDirectory.path)/\(name)"
      address = path ?? "@\(name)"
      // An argument cannot hold a zero byte.
      let script = ServiceManagerTests.listening.replacing("sys.argv[1]", with: "sys.argv[1].replace('@', chr(0))")
      process = try ChildProcess.start("/usr/bin/python3", ["-c", script, address])
      _ = try await process.output.wait(for: "the socket") { $0.standardOutput.contains("bound") ? true : nil }
    }

    func wait(_ words: String, _ count: Int = 1) async throws {
      _ = try await process.output.wait(for: words) { output in
        output.standardOutput.count { $0.hasPrefix(words) } >= count ? true : nil
      }
    }

    /// All that has come, but signs of life.
    func words() async throws -> [String] {
      let script = """
        import socket, sys
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"END", sys.argv[1].replace('@', chr(0)))
        """
      #expect(try await ChildProcess.run("python3", ["-c", script, address]).status == 0)
      try await wait("END")
      if let path { try? FileManager.default.removeItem(atPath: path) }
      return process.output.current.standardOutput.compactMap { line in
        let word = line.prefix { $0 != " " }
        return ["bound", "END", "WATCHDOG=1"].contains(word) ? nil : String(word)
      }
    }
  }

  @Test("The service manager learns that the gateway is ready, lives, reloads and stops", arguments: [false, true])
  func notifications(isAbstract: Bool) async throws {
    let manager = try await Manager(isAbstract: isAbstract)
    let gateway = try await GatewayProcess.start(
      "routes: [{ path: \"/*\", auth: public, respond: { status: 200, body: ok } }]",
      environment: ["NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"])
    try await manager.wait("READY=1 STATUS=1 route, 0 issuers, gateway.conf")
    try await manager.wait("WATCHDOG=1", 3)
    #expect(try await gateway.reload().status == 200)
    try await manager.wait("RELOADING=1 MONOTONIC_USEC=")
    try await manager.wait("READY=1", 2)
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    #expect(try await manager.words() == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"])
  }

  @Test("A reload that ends after the drain has begun does not report that the gateway is ready")
  func reloadDuringDrain() async throws {
    let manager = try await Manager(isAbstract: true)
    let isAsked = Gate()
    // It says nothing: the reload waits for the name.
    let names = try await TestNameServer.start { _ in
      isAsked.open()
      return nil
    }
    let route = "routes: [{ path: \"/*\", auth: public, respond: { status: 200, body: ok } }]"
    let gateway = try await GatewayProcess.start(route, environment: ["NOTIFY_SOCKET": manager.address])
    try gateway.write(
      configuration: "dns: { servers: [\"\(names.address)\"] }\nupstreams: { u: { servers: [\"app.test:80\"] } }\n"
        + route)
    gateway.signal(SIGHUP)
    try await isAsked.wait()
    gateway.terminate()
    #expect(try await gateway.waitForExit() == 0)
    #expect(try await manager.words().last == "STOPPING=1")
  }
}
