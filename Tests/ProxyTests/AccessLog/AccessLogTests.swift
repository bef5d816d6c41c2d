// Lines of the access log, well-formed whatever they describe.

import Bytes
import Configuration
import Testing

@testable import Proxy

/// An entry with every field set.
func makeEntry() -> AccessLogEntry {
  var entry = AccessLogEntry()
  // 2026-11-23T16:41:22.007Z
  entry.set(time: 1_795_452_082_007)
  entry.set(.status, 200)
  entry.set(.requestBytes, 0)
  entry.set(.responseBytes, 12_345)
  entry.set(.duration, 1_234_567)
  entry.set(.upstreamStatus, 201)
  entry.set(.upstreamConnect, 250_000)
  entry.set(.upstreamResponse, 1_000_000_000)
  entry.set(.grpcStatus, 0)
  entry.set(.tlsResumed, 0)
  let texts: [(AccessLogField, String)] = [
    (.clientIP, "192.0.2.7"), (.method, "GET"), (.host, "api.example.com"), (.path, "/orders/1"),
    (.matchedPath, "/orders/2"),
    (.protocol, "HTTP/1.1"), (.tlsVersion, "TLSv1.3"), (.tlsCipher, "TLS_AES_128_GCM_SHA256"), (.alpn, "http/1.1"),
    (.route, "orders"), (.upstream, "orders-up"), (.server, "10.0.0.1:9000"),
    (.graphQLOperation, "Orders"), (.authKind, "session"), (.issuer, "login"), (.subject, "user-1"),
    (.refusedSubject, "user-2"), (.authorize, "passed"), (.reason, "token_expired"), (.shadowReason, "token_missing"),
    (.requestID, "01HF"),
    (.traceID, "4bf92f3577b34da6a3ce929d0e0e4736"), (.userAgent, "curl/8.0"), (.referer, "https://example.com/start"),
  ]
  entry.set(.attempts, 2)
  for (field, text) in texts { entry.set(field, text) }
  return entry
}

func line(
  _ entry: borrowing AccessLogEntry, _ format: AccessLog.Format, fields: [AccessLog.Member]? = nil
) -> String {
  var output = ByteQueue()
  AccessLogFormatter(AccessLog(format, fields: fields)).append(entry, to: &output)
  return output.span.text()
}

extension AccessLog.TemplatePart {
  static func field(_ field: AccessLogField) -> Self { .source(.field(field)) }
}

@Suite("Access log")
struct AccessLogTests {
  @Test("A json line has every field in a fixed order")
  func json() {
    let expected =
      #"{"time":"2026-11-23T16:41:22.007Z","client_ip":"192.0.2.7","method":"GET","host":"api.example.com","#
      + #""path":"/orders/1","matched_path":"/orders/2","protocol":"HTTP/1.1","tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","#
      + #""tls_resumed":false,"alpn":"http/1.1","status":200,"request_bytes":0,"response_bytes":12345,"#
      + #""duration_ms":1.234,"route":"orders","upstream":"orders-up","server":"10.0.0.1:9000","upstream_status":201,"attempts":2,"#
      + #""upstream_connect_ms":0.250,"upstream_response_ms":1000.000,"grpc_status":0,"graphql_operation":"Orders","auth_kind":"session","issuer":"login","subject":"user-1","#
      + #""refused_subject":"user-2","authorize":"passed","reason":"token_expired","shadow_reason":"token_missing","request_id":"01HF","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#
      + #""user_agent":"curl/8.0","referer":"https://example.com/start"}"# + "\n"
    #expect(line(makeEntry(), .json) == expected)
  }

  @Test("Every field of the contract is in the full json line under its name")
  func completeness() {
    let text = line(makeEntry(), .json)
    for field in AccessLogField.allCases { #expect(text.contains("\"\(field.name)\":"), "\(field)") }
  }

  @Test("No two fields have one name or one place, and an entry has room for all of them")
  func table() {
    #expect(Set(AccessLogField.allCases.map(\.name)).count == AccessLogField.allCases.count)
    #expect(AccessLogField.allCases.map(\.index) == Array(0..<AccessLogField.allCases.count))
    #expect(AccessLogField.allCases.count <= 64)
    #expect(AccessLogField.allCases.allSatisfy { AccessLogField.named($0.name) == $0 })
  }

  @Test("An empty text is absent, and takes the place of one that was set before")
  func empty() {
    var entry = AccessLogEntry()
    entry.set(.host, "a")
    entry.set(.host, "")
    entry.set(.path, "?x")
    #expect(line(entry, .json) == line(AccessLogEntry(), .json))
  }

  @Test("A number is not a text, and a text is not a number")
  func kinds() {
    var entry = AccessLogEntry()
    entry.set(.host, 7)
    entry.set(.status, "7")
    #expect(line(entry, .json) == line(AccessLogEntry(), .json))
    #expect(line(entry, .template([.field(.host), .field(.status)])) == "--\n")
  }

  @Test("Json leaves out that a request was sent once, and a template says so")
  func once() {
    var entry = AccessLogEntry()
    entry.set(.attempts, 1)
    #expect(!line(entry, .json).contains("attempts"))
    #expect(line(entry, .template([.field(.attempts)])) == "1\n")
  }

  @Test("What is absent is left out of json and is a dash elsewhere")
  func absent() {
    let entry = AccessLogEntry()
    #expect(
      line(entry, .json)
        == #"{"time":"1970-01-01T00:00:00.000Z","request_bytes":0,"response_bytes":0,"duration_ms":0.000}"# + "\n")
    #expect(line(entry, .combined) == #"- - - [01/Jan/1970:00:00:00 +0000] "- - -" - - "-" "-" "-""# + "\n")
    let fields = AccessLogField.allCases.filter { ![.time, .requestBytes, .responseBytes, .duration].contains($0) }
    #expect(line(entry, .template(fields.map { .field($0) })) == String(repeating: "-", count: fields.count) + "\n")
  }

  @Test("The combined format is Apache's")
  func combined() {
    #expect(
      line(makeEntry(), .combined)
        == #"192.0.2.7 - user-1 [23/Nov/2026:16:41:22 +0000] "GET /orders/1 HTTP/1.1" 200 12345 "#
        + #""https://example.com/start" "curl/8.0" "token_expired""# + "\n")
  }

  @Test("The names of Elastic come with their units and forms, and say which version of the schema they are of")
  func ecs() {
    let expected =
      #"{"ecs.version":"8.11.0","event.dataset":"catraca.access","@timestamp":"2026-11-23T16:41:22.007Z","#
      + #""client.address":"192.0.2.7","http.request.method":"GET","url.domain":"api.example.com","#
      + #""url.path":"/orders/1","catraca.matched_path":"/orders/2","http.version":"1.1","tls.version":"1.3","#
      + #""tls.cipher":"TLS_AES_128_GCM_SHA256","#
      + #""tls.resumed":false,"tls.next_protocol":"http/1.1","http.response.status_code":200,"#
      + #""http.request.body.bytes":0,"http.response.body.bytes":12345,"event.duration":1234567,"#
      + #""catraca.route":"orders","catraca.upstream":"orders-up","catraca.server":"10.0.0.1:9000","#
      + #""catraca.upstream_status":201,"catraca.attempts":2,"catraca.upstream_connect_ms":0.250,"#
      + #""catraca.upstream_response_ms":1000.000,"catraca.grpc_status":0,"catraca.graphql_operation":"Orders","catraca.auth_kind":"session","catraca.issuer":"login","#
      + #""user.id":"user-1","catraca.refused_subject":"user-2","catraca.authorize":"passed","event.reason":"token_expired","catraca.shadow_reason":"token_missing","#
      + #""http.request.id":"01HF","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736","#
      + #""user_agent.original":"curl/8.0","http.request.referrer":"https://example.com/start"}"# + "\n"
    #expect(line(makeEntry(), .ecs) == expected)
  }

  @Test("The names of OpenTelemetry come with their units and forms")
  func otel() {
    let text = line(makeEntry(), .otel)
    #expect(text.hasPrefix(#"{"timestamp":"2026-11-23T16:41:22.007Z","client.address":"192.0.2.7","#))
    for member in [
      #""server.address":"api.example.com""#, #""network.protocol.version":"1.1""#,
      #""tls.protocol.version":"1.3""#, #""http.server.request.duration":0.001234"#,
      #""http.response.body.size":12345"#, #""rpc.grpc.status_code":0"#, #""error.type":"token_expired""#,
      #""user.id":"user-1""#, #""trace_id":"4bf92f3577b34da6a3ce929d0e0e4736""#,
    ] { #expect(text.contains("," + member), "\(member)") }
  }

  @Test("Names of others take a host without its port and without brackets, whatever the client wrote")
  func hosts() {
    for (host, expected) in [("a.test:8080", "a.test"), ("[::1]:80", "::1"), ("a\"b", "a"), (":", "")] {
      var entry = AccessLogEntry()
      entry.set(.host, host)
      #expect(line(entry, .ecs).contains("\"url.domain\":\"\(expected)\""), "\(host)")
    }
  }

  @Test("A chosen list is all that a line has, under the names that it gives")
  func chosen() {
    let fields = [
      AccessLog.Member(source: .field(.status)), AccessLog.Member(source: .field(.clientIP), name: "client"),
      AccessLog.Member(source: .field(.attempts)),
    ]
    #expect(line(makeEntry(), .json, fields: fields) == #"{"client":"192.0.2.7","status":200,"attempts":2}"# + "\n")
    #expect(line(AccessLogEntry(), .json, fields: fields) == "{}\n")
    let ecs = #"{"ecs.version":"8.11.0","event.dataset":"catraca.access","client":"192.0.2.7","#
    #expect(line(makeEntry(), .ecs, fields: fields).hasPrefix(ecs))
  }

  @Test("A template gives its text and fields in its order")
  func template() {
    let format = AccessLog.Format.template([
      .text("ip="), .field(.clientIP), .text(" t="), .field(.time), .text(" \""), .field(.userAgent), .text("\" "),
      .field(.duration), .text(" "), .field(.status), .text("/"), .field(.upstreamStatus), .text(" "),
      .field(.requestBytes), .text(" "), .field(.responseBytes), .text(" "), .field(.upstreamConnect), .text(" "),
      .field(.upstreamResponse), .text(" "), .field(.grpcStatus), .text(" "), .field(.tlsVersion), .text(" "),
      .field(.tlsResumed),
    ])
    #expect(
      line(makeEntry(), format)
        == "ip=192.0.2.7 t=2026-11-23T16:41:22.007Z \"curl/8.0\" 1.234 200/201 0 12345 0.250 1000.000 0 TLSv1.3 false\n"
    )
  }

  @Test(
    "T59 A query or a fragment, where tokens may be, is in no line",
    arguments: [
      "/a?access_token=SECRET", "/a#id_token=SECRET", "/a?x#SECRET", "/a#x?SECRET",
    ])
  func queries(_ target: String) {
    var entry = AccessLogEntry()
    entry.set(.path, target)
    entry.set(.referer, "https://example.com" + target)
    for format in [AccessLog.Format.json, .combined, .template([.field(.path), .field(.referer)])] {
      let text = line(entry, format)
      #expect(!text.contains("SECRET"))
      #expect(text.contains("https://example.com/a"))
    }
  }

  @Test("An entry used again shows nothing of the request before")
  func reuse() {
    var entry = makeEntry()
    entry.reset()
    #expect(line(entry, .json) == line(AccessLogEntry(), .json))
    entry.set(.path, "/first")
    entry.set(.path, "/second")
    #expect(line(entry, .json).contains(#""path":"/second""#))
    entry.set(.status, "999")
    #expect(!line(entry, .json).contains("999"))
  }

  @Test("A text of more than 8 KiB is cut")
  func longText() {
    var entry = AccessLogEntry()
    entry.set(.userAgent, String(repeating: "a", count: 8193) + "?")
    let text = line(entry, .template([.field(.userAgent)]))
    #expect(text == String(repeating: "a", count: 8192) + "\n")
  }

  @Test("Numbers have all their digits", arguments: [0, 9, 10, 99, 100, 4_294_967_296, UInt64.max])
  func numbers(_ value: UInt64) {
    var entry = AccessLogEntry()
    entry.set(.responseBytes, value)
    #expect(line(entry, .template([.field(.responseBytes)])) == "\(value)\n")
    entry.set(.duration, value)
    let micros = value / 1000
    let fraction = String(1000 + micros % 1000).dropFirst()
    #expect(line(entry, .template([.field(.duration)])) == "\(micros / 1000).\(fraction)\n")
  }
}

@Suite("Dates in the access log")
struct CivilTimeTests {
  private func text(_ milliseconds: Int64) -> String {
    var output = ByteQueue()
    output.appendTimestamp(CivilTime(unixMilliseconds: milliseconds))
    return output.span.text()
  }

  @Test(
    "Moments are written as RFC 3339 says",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (951_782_399_999, "2000-02-28T23:59:59.999Z"),
      (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"), (4_107_456_000_000, "2100-02-28T00:00:00.000Z"),
      (1_795_452_082_007, "2026-11-23T16:41:22.007Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
      (Int64.max, "9999-12-31T23:59:59.999Z"), (Int64.min, "0000-01-01T00:00:00.000Z"),
      (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"), (-62_162_035_200_001, "0000-02-29T23:59:59.999Z"),
    ] as [(Int64, String)])
  func moments(_ milliseconds: Int64, _ expected: String) {
    #expect(text(milliseconds) == expected)
  }

  @Test("Four hundred years are counted day by day as a calendar does")
  func everyDay() {
    var (year, month, day): (Int64, Int64, Int64) = (1969, 1, 1)
    for number in Int64(-365)..<146_097 {
      let time = CivilTime(unixMilliseconds: number * 86_400_000 + 1)
      guard time.year == year, time.month == month, time.day == day else {
        Issue.record("day \(number): \(time)")
        return
      }
      let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      day += 1
      if day > lengths[Int(month) - 1] { (month, day) = (month + 1, 1) }
      if month > 12 { (year, month) = (year + 1, 1) }
    }
  }

  @Test("Months have Apache's names")
  func months() {
    var output = ByteQueue()
    for month in 0..<12 {
      output.appendApacheTime(CivilTime(unixMilliseconds: (Int64(month) * 2_629_746 + 1_300_000) * 1000))
      output.append(UInt8(ascii: " "))
    }
    let names = output.span.text().split(separator: "/").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
    #expect(names == ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
  }
}
