// Java's own client, whose WebSocket handshake says that it has no content.

import Foundation
import TestSupport
import Testing

@Suite("Java's client")
struct JavaTests {
  private static let program = """
    import java.net.URI;
    import java.net.http.HttpClient;
    import java.net.http.WebSocket;
    import java.util.concurrent.CompletableFuture;
    import java.util.concurrent.CompletionStage;

    public class Echo {
      public static void main(String[] arguments) {
        CompletableFuture<String> heard = new CompletableFuture<>();
        WebSocket.Listener listener = new WebSocket.Listener() {
          public CompletionStage<?> onText(WebSocket socket, CharSequence text, boolean isLast) {
            heard.complete(text.toString());
            return null;
          }
        };
        WebSocket socket = HttpClient.newHttpClient().newWebSocketBuilder()
            .buildAsync(URI.create(arguments[0]), listener).join();
        socket.sendText("hello", true).join();
        System.out.println(heard.join());
        socket.abort();
      }
    }
    """

  @Test("T118 A WebSocket of java.net.http opens and is heard", .tags(.slow), .needs("javac"))
  func webSocket() async throws {
    let upstream = try await TestUpstream.start { connection in
      let request = try await connection.receiveRequestHead()
      try await connection.send(webSocketAgreement(to: request))
      let frame = try await connection.stream.receive(2 + 4 + 5)
      let text = frame[6...].enumerated().map { $1 ^ frame[2 + $0 % 4] }
      try await connection.send([0x81, 0x05] + text)
      try await connection.stream.waitUntilGone()
    }
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream, routeKeys: "websocket: true"))
    let folder = try TemporaryFolder()
    try folder.write("Echo.java", Data(Self.program.utf8))
    let client = try ChildProcess.start(
      "/usr/bin/env", ["java", "Echo.java", "ws://127.0.0.1:\(gateway.port)/echo"], in: folder.url)
    let outcome = try await client.finish()
    #expect(outcome.standardOutput == "hello", "\(outcome.standardError.suffix(500))")
    #expect(upstream.requests.count == 1 && upstream.requests.allSatisfy { $0["Content-Length"] == nil })
  }
}
