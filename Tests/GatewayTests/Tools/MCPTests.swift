// Clients of the Model Context Protocol find the way in by themselves: a 401, the metadata of the resource, its
// provider, a token for it, and a stronger one where an operation requires more. Both sides are the protocol's library.

import Foundation
import TestSupport
import Testing

@Suite("Model Context Protocol", .tags(.slow), .timeLimit(.minutes(10)))
struct MCPTests {
  /// A provider that gives every client what it asks for, once its code is proved.
  private static let provider = #"""
    import base64, hashlib, http.server, json, secrets, time, urllib.parse
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())), "kid": "one", "alg": "ES256"}
    codes = {}

    class Provider(http.server.BaseHTTPRequestHandler):
        def answer(self, document, status=200, **fields):
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **fields}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            path, _, query = self.path.partition("?")
            query = dict(urllib.parse.parse_qsl(query))
            if path.startswith("/.well-known/"):
                self.answer({
                    "issuer": issuer, "jwks_uri": issuer + "/keys", "authorization_endpoint": issuer + "/authorize",
                    "token_endpoint": issuer + "/token", "registration_endpoint": issuer + "/register",
                    "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
                    "grant_types_supported": ["authorization_code"], "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": True})
            elif path == "/keys":
                self.answer({"keys": [public]})
            else:
                code = secrets.token_urlsafe()
                codes[code] = query
                print("asked for", query["scope"], "at", query["resource"], flush=True)
                back = urllib.parse.urlencode({"code": code, "state": query["state"], "iss": issuer})
                self.answer({}, 302, Location=query["redirect_uri"] + "?" + back)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/register":
                client = {**json.loads(body), "client_id": "a client", "token_endpoint_auth_method": "none"}
                return self.answer(client, 201)
            form = dict(urllib.parse.parse_qsl(body.decode()))
            grant = codes.pop(form["code"])
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == grant["code_challenge"]
            now = int(time.time())
            claims = {
                "iss": issuer, "aud": grant["resource"], "sub": "ada", "scope": grant["scope"], "iat": now,
                "exp": now + 600}
            token = jwt.encode(claims, key, "ES256", {"kid": "one"})
            self.answer({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": grant["scope"]})

        def log_message(self, *arguments): pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    issuer = f"http://127.0.0.1:{server.server_port}"
    print("port", server.server_port, flush=True)
    server.serve_forever()
    """#

  /// A server with three tools.
  private static let tools = #"""
    import asyncio, socket
    import uvicorn
    from mcp.server.mcpserver import Context, MCPServer

    server = MCPServer("tools")

    @server.tool()
    async def whoami(context: Context) -> str:
        return context.request_context.request.headers.get("x-user-id", "nobody")

    @server.tool()
    async def count(to: int, context: Context) -> str:
        for number in range(to):
            await context.report_progress(number + 1, to)
        return f"counted to {to}"

    @server.tool()
    async def erase() -> str:
        return "erased"

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="warning")).run(sockets=[listener])
    """#

  /// Says each call and its answer.
  private static let client = #"""
    import asyncio, sys, urllib.parse
    import httpx2
    from mcp import Client
    from mcp.client.auth import OAuthClientProvider
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

    url = sys.argv[1]

    class Storage:
        tokens = client = None
        async def get_tokens(self): return self.tokens
        async def set_tokens(self, tokens): self.tokens = tokens
        async def get_client_info(self): return self.client
        async def set_client_info(self, client): self.client = client

    answers = []

    async def redirect(place):
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(place, follow_redirects=False)
        answers.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query)))

    async def callback():
        return AuthorizationCodeResult(**answers.pop())

    async def note(response):
        sent = response.request
        print(
            sent.method, sent.url.path, response.status_code, response.headers.get("content-type", "-").split(";")[0],
            "session" if "mcp-session-id" in sent.headers else "-", flush=True)

    async def talk(mode):
        provider = OAuthClientProvider(
            url, OAuthClientMetadata(client_name="a test", redirect_uris=["http://127.0.0.1:1/back"]), Storage(),
            redirect, callback)
        async with httpx2.AsyncClient(auth=provider, event_hooks={"response": [note]}) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                print("revision", client.protocol_version, flush=True)
                print(sorted(tool.name for tool in (await client.list_tools()).tools))
                print((await client.call_tool("whoami")).content[0].text)
                seen = []
                async def progress(number, total, message): seen.append(number)
                print((await client.call_tool("count", {"to": 3}, progress_callback=progress)).content[0].text, seen)
                if mode != "legacy":
                    print((await client.call_tool("erase")).content[0].text, flush=True)

    asyncio.run(talk(sys.argv[2]))
    """#

  private struct Scene {
    let folder: TemporaryFolder
    let provider: ChildProcess
    let tools: ChildProcess
    let gateway: GatewayProcess
    let python: String
    let url: String

    static func start() async throws -> Scene {
      let python = try #require(await PythonPackages.modelContext.value)
      let folder = try TemporaryFolder()
      for (name, text) in [("provider", MCPTests.provider), ("tools", MCPTests.tools), ("client", client)] {
        try folder.write("\(name).py", Data(text.utf8))
      }
      func start(_ name: String) async throws -> (ChildProcess, String) {
        let process = try ChildProcess.start(python, ["-u", "\(name).py"], in: folder.url)
        let port = try await process.output.wait(for: "the port of \(name)") { output in
          if let status = output.status { throw StreamFailure.malformed("\(name): \(status) \(output)") }
          return output.standardOutput.first { $0.hasPrefix("port ") }?.dropFirst(5)
        }
        return (process, String(port))
      }
      let (provider, providerPort) = try await start("provider")
      let (tools, toolsPort) = try await start("tools")
      // Clients compare the resource with the URL that they were given.
      let port = try closedPort()
      let url = "http://127.0.0.1:\(port)/mcp"
      let gateway = try await GatewayProcess.start(
        """
        listeners: [{ address: "127.0.0.1:\(port)" }]
        issuers: { login: { issuer: "http://127.0.0.1:\(providerPort)", audiences: ["\(url)"] } }
        upstreams: { tools: { servers: ["127.0.0.1:\(toolsPort)"] } }
        defaults: { identity: { headers: { X-User-Id: sub } } }
        routes:
          - path: /mcp
            auth: { issuers: [login], scopes: [tools.use], resource: "\(url)" }
            upstream: tools
            unprotected: allowed
          - path: /mcp
            headers: { Mcp-Name: erase }
            auth: { issuers: [login], scopes: [tools.use, tools.erase], resource: "\(url)" }
            upstream: tools
        """)
      return Scene(
        folder: folder, provider: provider, tools: tools, gateway: gateway, python: python, url: url)
    }

    func talk(_ mode: String) async throws -> [String] {
      let ran = try await ChildProcess.run(python, ["client.py", url, mode], in: folder.url)
      #expect(ran.status == 0, "\(ran.standardError) \(gateway.standardError)")
      return ran.standardOutput.split(separator: "\n").map(String.init)
    }

    func end() {
      provider.kill(SIGKILL)
      tools.kill(SIGKILL)
    }
  }

  /// From the first 401 to the first answer.
  private static let wayIn = [
    "POST /mcp 401 application/problem+json -", "GET /.well-known/oauth-protected-resource/mcp 200 application/json -",
    "GET /.well-known/oauth-authorization-server 200 application/json -", "POST /register 201 application/json -",
    "POST /token 200 application/json -",
  ]

  @Test(
    "In the revision of 2026-07-28 a client gets in, calls tools, hears progress as it comes, and asks for more scopes",
    .needsModelContext)
  func newest() async throws {
    let scene = try await Scene.start()
    defer { scene.end() }
    let call = "POST /mcp 200 application/json -"
    #expect(
      try await scene.talk("2026-07-28") == ["revision 2026-07-28"] + Self.wayIn + [
        call, "['count', 'erase', 'whoami']", call, "ada", "POST /mcp 200 text/event-stream -",
        "counted to 3 [1.0, 2.0, 3.0]", "POST /mcp 403 application/problem+json -",
        "POST /token 200 application/json -", call, "erased",
      ])
    // What was challenged is what was asked for, and for whom.
    let asked = scene.provider.output.current.standardOutput.filter { $0.hasPrefix("asked") }
    #expect(
      asked == ["asked for tools.use at \(scene.url)", "asked for tools.use tools.erase at \(scene.url)"])
    let reasons = scene.gateway.accessLog.compactMap { $0.firstMatch(of: #/"reason":"(\w+)"/#).map { String($0.1) } }
    #expect(reasons == ["token_missing", "scope_missing"])
  }

  @Test(
    "In the revision of 2025-11-25 a client keeps its session, with a stream of events beside it", .needsModelContext)
  func sessions() async throws {
    let scene = try await Scene.start()
    defer { scene.end() }
    let lines = try await scene.talk("legacy")
    #expect(Array(lines.prefix(7)) == Self.wayIn + ["POST /mcp 200 text/event-stream -", "revision 2025-11-25"])
    for line in [
      "GET /mcp 200 text/event-stream session", "POST /mcp 200 text/event-stream session", "ada",
      "counted to 3 [1.0, 2.0, 3.0]", "DELETE /mcp 200 application/json session",
    ] { #expect(lines.contains(line), "\(lines)") }
  }
}
