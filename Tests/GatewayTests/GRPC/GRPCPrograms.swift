// A server and a client of gRPC, both with Python's grpcio, and how they are run. Messages are bytes, so that nothing
// has to be generated.

import Foundation
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
  /// Skips a test on a machine without grpcio. Not in CI, where it has to be there.
  static var needsGRPC: Self {
    .enabled("no Python here has grpcio: `make test` installs it into .build/python") {
      try await GRPCPrograms.python() != nil || ProcessInfo.processInfo.environment["CI"] != nil
    }
  }
}

enum GRPCPrograms {
  /// A Python that has grpcio: what `make test` has made, or the system's.
  static func python() async throws -> String? {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let places = [root.appending(path: ".build/python/bin/python3").path, ChildProcess.path(of: "python3")]
    for case let place? in places where FileManager.default.isExecutableFile(atPath: place) {
      if try await ChildProcess.start(place, ["-c", "import grpc"]).finish().status == 0 { return place }
    }
    return nil
  }

  static func start(_ name: String, _ script: String, _ arguments: [String], in folder: URL) async throws
    -> ChildProcess
  {
    let python = try #require(try await python(), "no Python here has grpcio")
    try Data(script.utf8).write(to: folder.appending(path: name))
    return try ChildProcess.start(python, ["-u", name] + arguments, in: folder)
  }

  /// Answers every service alike, by the method's name. Says its port, and when a `Wait` ends.
  static let server = """
    import concurrent.futures, itertools, json, os, sys, threading
    import grpc

    def unary(request, context):
        return request
    def who(request, context):
        pairs = [(k, v.hex() if isinstance(v, bytes) else v) for k, v in context.invocation_metadata()]
        context.send_initial_metadata((("first", "1"), ("first-bin", bytes([0, 255, 10]))))
        context.set_trailing_metadata((("last", "2"), ("last-bin", bytes([1, 254, 13]))))
        return json.dumps(pairs).encode()
    def fail(request, context):
        context.set_trailing_metadata((("grpc-status-details-bin", bytes([8, 9, 255])),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "100% no \\u00e9lan")
    turns = itertools.count(1)
    def flaky(request, context):
        turn = next(turns)
        if turn % 2 == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "try again")
        return b"%d %d" % (turn, len(request))
    def repeat(request, context):
        for number in range(int(request)):
            yield b"%d" % number
    def die(requests, context):
        next(requests)
        yield b"begun"
        next(requests)
        os._exit(1)
    def wait(request, context):
        ended = threading.Event()
        def end():
            print("ended " + request.decode(), flush=True)
            ended.set()
        context.add_callback(end)
        yield b"begun"
        ended.wait()
    def sum_up(requests, context):
        count = size = 0
        for request in requests:
            count += 1
            size += len(request)
        return b"%d %d" % (count, size)
    def chat(requests, context):
        for request in requests:
            yield request

    kinds = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary), "Who": grpc.unary_unary_rpc_method_handler(who),
        "Flaky": grpc.unary_unary_rpc_method_handler(flaky),
        "Fail": grpc.unary_unary_rpc_method_handler(fail), "Repeat": grpc.unary_stream_rpc_method_handler(repeat),
        "Die": grpc.stream_stream_rpc_method_handler(die), "Wait": grpc.unary_stream_rpc_method_handler(wait),
        "Sum": grpc.stream_unary_rpc_method_handler(sum_up), "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    class Any(grpc.GenericRpcHandler):
        def service(self, details):
            return kinds.get(details.method.rsplit("/", 1)[1])

    options = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), handlers=(Any(),), options=options)
    if len(sys.argv) > 2:
        pair = (open(sys.argv[2], "rb").read(), open(sys.argv[1], "rb").read())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials((pair,)))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print("port %d" % port, flush=True)
    server.wait_for_termination()
    """

  /// Runs the scenario of its first argument against the gateway's port with the authority's file, and prints what it
  /// saw.
  static let client = """
    import itertools, json, signal, sys, threading
    import grpc

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    scenario, port, authority = sys.argv[1:4]
    tokens = dict(zip(("good", "expired", "narrow"), sys.argv[4:]))
    options = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
               ("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_http_proxy", 0),
               ("grpc.enable_retries", 0))
    credentials = grpc.ssl_channel_credentials(open(authority, "rb").read())
    channel = grpc.secure_channel("127.0.0.1:" + port, credentials, options)
    unary, server_stream = channel.unary_unary, channel.unary_stream
    client_stream, both = channel.stream_unary, channel.stream_stream
    limit = 100

    def say(*words):
        print(*words, flush=True)
    def bearer(name):
        return (("authorization", "Bearer " + tokens[name]),)
    def outcome(call):
        try:
            call()
            return "OK"
        except grpc.RpcError as error:
            return error.code().name + " " + (error.details() or "")

    def kinds():
        say("unary", unary("/open.Echo/Unary")(b"hello", timeout=limit).decode())
        numbers = [int(m) for m in server_stream("/open.Echo/Repeat")(b"500", timeout=limit)]
        say("server", numbers == list(range(500)))
        say("client", client_stream("/open.Echo/Sum")((b"x" * n for n in range(500)), timeout=limit).decode())
        # Each message is sent only once the one before it has come back.
        turn = threading.Semaphore(1)
        def words():
            for number in range(50):
                turn.acquire(timeout=limit)
                yield b"%d" % number
        seen = []
        for message in both("/open.Echo/Chat")(words(), timeout=limit):
            seen.append(int(message))
            turn.release()
        say("both", seen == list(range(50)))
        say("empty", len(unary("/open.Echo/Unary")(b"", timeout=limit)))

    def metadata():
        sent = bearer("good") + (("x-user-id", "root"), ("trace-bin", bytes([0, 13, 10, 255])), ("plain", "text"))
        reply, call = unary("/test.Echo/Who").with_call(b"", metadata=sent, timeout=limit)
        for key, value in sorted(json.loads(reply)):
            say("server", key, value)
        for name, pairs in (("initial", call.initial_metadata()), ("trailing", call.trailing_metadata())):
            for key, value in pairs:
                say(name, key, value.hex() if isinstance(value, bytes) else value)
        try:
            unary("/open.Echo/Fail")(b"", timeout=limit)
        except grpc.RpcError as error:
            say("failed", error.code().name, error.details())
            for key, value in error.trailing_metadata():
                say("details", key, value.hex() if isinstance(value, bytes) else value)
        say("unknown", outcome(lambda: unary("/open.Echo/None")(b"", timeout=limit)))

    def refusals():
        def call(path, who=None):
            return outcome(lambda: unary(path)(b"", metadata=bearer(who) if who else None, timeout=limit))
        say("good", call("/test.Echo/Unary", "good"))
        say("missing", call("/test.Echo/Unary"))
        say("expired", call("/test.Echo/Unary", "expired"))
        say("narrow", call("/test.Echo/Unary", "narrow"))
        say("unrouted", call("/other.Echo/Unary"))
        say("dead", call("/dead.Echo/Unary"))
        say("large", outcome(lambda: unary("/small.Echo/Unary")(b"x" * 100000, timeout=limit)))
        say("streamed", outcome(lambda: list(both("/test.Echo/Chat")(iter([b"x"] * 10), timeout=limit))))
        say("alive", call("/open.Echo/Unary"))

    # Until the answer has begun before its deadline: on a busy machine a call may not have come to the server by then.
    def deadline():
        for name, path, limits in (("client", "/open.Echo/Wait", itertools.count(1)),
                                   ("route", "/brief.Echo/Wait", itertools.repeat(limit))):
            begun = 0
            while begun == 0:
                call = server_stream(path)(name.encode(), timeout=next(limits))
                def count():
                    nonlocal begun
                    for _ in call:
                        begun += 1
                end = outcome(count).split()[0]
            say(name, end)

    def flaky():
        say("plain", outcome(lambda: unary("/open.Echo/Flaky")(b"", timeout=limit)))
        say("plain", unary("/open.Echo/Flaky")(b"", timeout=limit).decode())
        say("again", unary("/again.Echo/Flaky")(b"x" * 50000, timeout=limit).decode())
        say("again", unary("/again.Echo/Flaky")(b"", timeout=limit).decode())
        say("large", outcome(lambda: unary("/again.Echo/Flaky")(b"x" * 200000, timeout=limit)))

    def cancel():
        call = server_stream("/open.Echo/Wait")(b"cancel", timeout=limit)
        say(next(call).decode())
        call.cancel()
        say(outcome(lambda: list(call)).split()[0])

    def death():
        begun = threading.Event()
        def words():
            yield b"begin"
            begun.wait(limit)
            yield b"die"
        call = both("/open.Echo/Die")(words(), timeout=limit)
        say(next(call).decode())
        begun.set()
        say(outcome(lambda: list(call)).split()[0])
        # Whether the dying process still takes a connection is a matter of luck.
        say(outcome(lambda: unary("/open.Echo/Unary")(b"", timeout=limit)).split()[0])

    def large():
        message = bytes(range(256)) * (4 * 4096)
        say("whole", unary("/open.Echo/Unary")(message, timeout=limit) == message)
        parts = list(both("/open.Echo/Chat")(iter([message[:1 << 20]] * 8), timeout=limit))
        say("parts", parts == [message[:1 << 20]] * 8)

    def reload():
        go = threading.Event()
        def words():
            yield b"before"
            go.wait(limit)
            yield b"after"
        call = both("/open.Echo/Chat")(words(), timeout=limit)
        say(next(call).decode())
        signal.sigwait({signal.SIGUSR1})
        say("fresh", outcome(lambda: unary("/new.Echo/Unary")(b"", timeout=limit)))
        go.set()
        say(next(call).decode())
        say("rest", len(list(call)), call.code().name)

    globals()[scenario]()
    channel.close()
    """
}
