// A server that is a process of its own, so that it can be killed as servers are, and come back on its port.

import Foundation
import TestSupport
import Testing

/// A server of one fault, written for these tests in a few lines of Python.
final class FaultyServer: Sendable {
  enum Behaviour: String {
    /// Answers with its name.
    case good
    /// Answers 503.
    case busy
    /// A head, a tenth of the body, and no more.
    case half
    /// Takes requests and says nothing.
    case silent
    /// Bytes that are not HTTP.
    case garbage
    /// A byte every tenth of a second, from the head on. Or from the body on.
    case trickle, trickleBody
  }

  let port: Int
  private let child: ChildProcess

  var address: String { "127.0.0.1:\(port)" }

  private init(port: Int, child: ChildProcess) {
    self.port = port
    self.child = child
  }

  /// - Parameter port: one that ``closedPort()`` gave. By default a fresh one.
  static func start(_ behaviour: Behaviour, named name: String = "name", port: Int? = nil) async throws -> FaultyServer
  {
    let port = try port ?? closedPort()
    let python = try #require(ChildProcess.path(of: "python3"), "python3 is not installed")
    let child = try ChildProcess.start(python, ["-u", "-c", program, behaviour.rawValue, name, String(port)])
    try await child.output.wait(for: "the server to listen") { $0.standardOutput.isEmpty ? nil : () }
    return FaultyServer(port: port, child: child)
  }

  /// The process is gone from one moment to the next, and its connections are reset or closed by the kernel.
  func kill() async throws {
    child.kill(SIGKILL)
    _ = try await child.waitForExit()
  }

  private static let program = """
    import socket, sys, threading, time
    behaviour, name, port = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3])
    def answer(body, status=b"200 OK", length=None):
        return b"HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (status, len(body) if length is None else length, body)
    def trickle(peer, data):
        for byte in data:
            peer.sendall(bytes([byte]))
            time.sleep(0.1)
    def reply(peer):
        if behaviour == "good": peer.sendall(answer(name))
        elif behaviour == "busy": peer.sendall(answer(b"busy", b"503 Service Unavailable"))
        elif behaviour == "half": peer.sendall(answer(b"x" * 100, length=1000))
        elif behaviour == "garbage": peer.sendall(b"\\x00\\x01 what is this\\r\\n\\r\\n")
        elif behaviour == "trickle": trickle(peer, answer(name * 1000))
        elif behaviour == "trickleBody":
            head, body = answer(name * 1000).split(b"\\r\\n\\r\\n", 1)
            peer.sendall(head + b"\\r\\n\\r\\n")
            trickle(peer, body)
    def serve(peer):
        held = b""
        try:
            while True:
                while b"\\r\\n\\r\\n" not in held:
                    part = peer.recv(65536)
                    if not part: return
                    held += part
                held = held.split(b"\\r\\n\\r\\n", 1)[1]
                reply(peer)
        except OSError: pass
        finally: peer.close()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    print("listening")
    while True:
        peer = listener.accept()[0]
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(peer,), daemon=True).start()
    """
}
