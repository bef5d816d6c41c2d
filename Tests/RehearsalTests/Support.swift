// What the tests of this target share: a file, and the moment at which everything happens.

import Configuration
import Rehearsal
import Testing

let now: Int64 = 1_800_000_000

/// The front of a file with one issuer and one upstream. What follows are its routes and tests.
let front = """
  listeners: [{ address: "127.0.0.1:8080" }]
  issuers:
    login: { issuer: "https://login.example.com", audiences: [api] }
  upstreams:
    orders: { servers: ["orders.internal:9000"] }

  """

func configuration(_ text: String, environment: [String: String] = [:]) throws -> GatewayConfiguration {
  switch ConfigurationReader.read(
    text: front + text, file: "gateway.conf", folder: "", environment: environment, readFile: { _ in [] })
  {
  case .success(let loaded): return loaded.configuration
  case .failure(let errors):
    Issue.record("\(errors)")
    throw errors
  }
}

/// What the tests of a file find, one finding a line.
func findings(_ text: String, environment: [String: String] = [:]) throws -> [String] {
  FileTests.findings(
    of: try configuration(text, environment: environment), files: ["gateway.conf"], unixSeconds: now
  ).map(\.description)
}

func request(_ text: String) throws -> TestRequest { try TestRequest.parse(text).get() }
