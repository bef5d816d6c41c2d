// Both ends of WebSockets in Python: the library `websockets`, and `h2` for RFC 8441. Each says line by line what it
// sees.

enum WebSocketScripts {
  /// Echoes, and says how it was asked and how it ended.
  static let server = """
    import asyncio
    from websockets.asyncio.server import serve
    async def echo(ws):
        fields = ws.request.headers
        print("open", fields.get("X-User"), fields.get("Sec-WebSocket-Protocol"), "bearer" in str(fields).lower())
        async for message in ws:
            await ws.send(message)
        print("closed", ws.close_code)
    async def main():
        choose = lambda ws, offered: "chat" if "chat" in offered else None
        async with serve(echo, "127.0.0.1", 0, max_size=2 ** 22, subprotocols=["chat"], select_subprotocol=choose) as s:
            print("port", s.sockets[0].getsockname()[1])
            await asyncio.get_running_loop().create_future()
    asyncio.run(main())
    """

  /// URL, certificate, and then TOKEN and further subprotocols.
  static let client = """
    import asyncio, os, ssl, sys
    import websockets
    from websockets.asyncio.client import connect
    async def main():
        tls = ssl.create_default_context(cafile=sys.argv[2]) if sys.argv[1].startswith("wss") else None
        offered = ["bearer"] + sys.argv[3:]
        async with connect(sys.argv[1], ssl=tls, subprotocols=offered, max_size=2 ** 22, open_timeout=100,
                           ping_timeout=None) as ws:
            print("open", ws.subprotocol, [extension.name for extension in ws.protocol.extensions])
            for message in ["hello", os.urandom(1 << 20), "x" * (1 << 20), ""]:
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(iter(["in ", "three ", "frames"]))
            assert await ws.recv() == "in three frames"
            await (await ws.ping("still there?"))
            print("echoed")
            if len(sys.argv) > 4:
                return
            try:
                await ws.recv()
            except websockets.ConnectionClosed as closed:
                print("closed", closed.rcvd.code)
    asyncio.run(main())
    """

  /// Port and token. Over TLS.
  static let multiplexedClient = """
    import os, socket, ssl, struct, sys
    import h2.config, h2.connection, h2.events
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    tls.set_alpn_protocols(["h2"])
    sock = tls.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost")
    conn = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    conn.initiate_connection()
    received, pending, seen = bytearray(), bytearray(), {}
    def flush():
        while pending and "head" in seen:
            count = min(len(pending), conn.local_flow_control_window(1), conn.max_outbound_frame_size)
            if count <= 0:
                break
            conn.send_data(1, bytes(pending[:count]))
            del pending[:count]
        sock.sendall(conn.data_to_send())
    def turn():
        data = sock.recv(65536)
        assert data, "the gateway closed"
        for event in conn.receive_data(data):
            if isinstance(event, h2.events.RemoteSettingsChanged):
                if conn.remote_settings.enable_connect_protocol == 1:
                    seen["settings"] = True
            if isinstance(event, h2.events.ResponseReceived):
                seen["head"] = dict(event.headers)
            if isinstance(event, h2.events.DataReceived):
                received.extend(event.data)
                conn.acknowledge_received_data(event.flow_controlled_length, 1)
            if isinstance(event, h2.events.StreamEnded):
                seen["end"] = True
        flush()
    def wait(name):
        flush()
        while name not in seen:
            turn()
        return seen[name]
    def mask(text, key):
        count = len(text)
        repeated = (key * (count // 4 + 1))[:count]
        return (int.from_bytes(text, "big") ^ int.from_bytes(repeated, "big")).to_bytes(count, "big")
    def frame():
        def need(count):
            while len(received) < count:
                turn()
        need(2)
        first, count, start = received[0], received[1], 2
        if count == 126:
            need(4)
            count, start = struct.unpack(">H", received[2:4])[0], 4
        elif count == 127:
            need(10)
            count, start = struct.unpack(">Q", received[2:10])[0], 10
        need(start + count)
        content = bytes(received[start:start + count])
        del received[:start + count]
        return first, content
    wait("settings")
    conn.send_headers(1, [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/live"),
        (":authority", "localhost"), ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "bearer, " + sys.argv[2])])
    head = wait("head")
    print("open", head[":status"], head.get("sec-websocket-protocol"))
    message, key = os.urandom(1 << 20), os.urandom(4)
    pending.extend(b"\\x82\\xff" + struct.pack(">Q", len(message)) + key + mask(message, key))
    flush()
    echo, first = b"", 0
    while not first & 0x80:
        first, content = frame()
        echo += content
    assert echo == message
    print("echoed")
    first, content = frame()
    print("closed", struct.unpack(">H", content[:2])[0])
    wait("end")
    print("ended")
    """

  /// A page that opens a WebSocket and reports by what it asks for next.
  static let page = """
    <!doctype html><title>page</title><script>
    const query = new URLSearchParams(location.search), seen = [];
    const ws = new WebSocket("wss://" + location.host + "/live", ["bearer", query.get("token")]);
    ws.onopen = () => { seen.push("open", ws.protocol); ws.send("hello"); };
    ws.onmessage = event => seen.push(event.data);
    ws.onclose = event => fetch("/seen/" + seen.concat(event.code).join("-"));
    </script>
    """
}
