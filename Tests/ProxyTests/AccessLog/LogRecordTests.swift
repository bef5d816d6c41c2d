// Records for a collector of logs: when there are any, and what is in their bytes.

import Bytes
import Testing

@testable import Proxy

@Suite("Log records for a collector")
struct LogRecordTests {
  private static let logs = "logs: { endpoint: \"http://127.0.0.1:4318\" }\n"

  @Test("A request has one record, with and without a line, and the query is in neither", arguments: [true, false])
  func record(_ isWritten: Bool) throws {
    let bench = try Bench(Self.logs + (isWritten ? "" : "access_log: off\n") + openRoutes)
    let client = bench.connect()
    client.send(get("/a?secret=1", "User-Agent: probe"))
    try bench.server().send(ok())
    #expect(bench.logLines.count == (isWritten ? 1 : 0))
    let records = bench.worker.logRecords.take()
    let text = String(decoding: records.bytes, as: UTF8.self)
    #expect(records.count == 1 && bench.worker.logRecords.count == 0)
    for part in ["GET /a 200", "INFO", "user_agent.original", "probe", "http.server.request.duration"] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(!text.contains("secret"))
  }

  @Test("Nothing is encoded where no collector gets it")
  func none() throws {
    let bench = try Bench(openRoutes)
    bench.connect().send(get("/a"))
    try bench.server().send(ok())
    #expect(bench.logLines.count == 1 && bench.worker.logRecords.count == 0)
  }
}
