// From an entry to its line: the last stage of a request's way, and the only place where log lines are made.
//
// Invariant: exactly one line feed per entry, at its end, whatever bytes the entry holds.

package import Bytes
package import Configuration

/// Writes access log lines in one of the formats. Immutable: shared by all workers.
package struct AccessLogFormatter: Sendable {
  private enum Part: Sendable {
    case text([UInt8])
    case field(AccessLogField, isQuoted: Bool)
  }

  private enum Style: Sendable {
    case json
    case combined
    case template([Part])
  }

  private let style: Style

  package init(_ format: AccessLog.Format) {
    switch format {
    case .json: style = .json
    case .combined: style = .combined
    case .template(let parts):
      var isQuoted = false
      style = .template(
        parts.map { part in
          switch part {
          case .text(let text):
            if !text.count(where: { $0 == "\"" }).isMultiple(of: 2) { isQuoted.toggle() }
            return .text(Array(text.utf8))
          case .field(let field): return .field(field, isQuoted: isQuoted)
          }
        })
    }
  }

  /// Appends one line with its line feed. Allocates nothing but room in `output`.
  package func append(_ entry: borrowing AccessLogEntry, to output: inout ByteQueue) {
    switch style {
    case .json: output.appendJSONLine(entry)
    case .combined: output.appendCombinedLine(entry)
    case .template(let parts):
      for part in parts {
        switch part {
        case .text(let text): output.append(text.span)
        case .field(let field, let isQuoted): output.appendTemplateField(field, of: entry, isQuoted: isQuoted)
        }
      }
    }
    output.append(UInt8(ascii: "\n"))
  }
}

extension ByteQueue {
  // MARK: json

  /// One object, its members in a fixed order; absent ones are left out.
  fileprivate mutating func appendJSONLine(_ entry: borrowing AccessLogEntry) {
    let isPlain = entry.isPlain
    append("{\"time\":\"")
    appendTimestamp(CivilTime(unixMilliseconds: entry.unixMilliseconds))
    append(UInt8(ascii: "\""))
    appendMember(",\"client_ip\":\"", entry.text(.clientIP), isPlain)
    appendMember(",\"method\":\"", entry.text(.method), isPlain)
    appendMember(",\"host\":\"", entry.text(.host), isPlain)
    appendMember(",\"path\":\"", entry.text(.path), isPlain)
    appendMember(",\"protocol\":\"", entry.text(.protocol), isPlain)
    appendMember(",\"tls_version\":\"", entry.text(.tlsVersion), isPlain)
    appendMember(",\"tls_cipher\":\"", entry.text(.tlsCipher), isPlain)
    if let isResumed = entry.isTLSResumed { append(isResumed ? ",\"tls_resumed\":true" : ",\"tls_resumed\":false") }
    appendMember(",\"alpn\":\"", entry.text(.alpn), isPlain)
    if entry.status > 0 {
      append(",\"status\":")
      appendNumber(UInt64(clamping: entry.status))
    }
    append(",\"request_bytes\":")
    appendNumber(entry.requestByteCount)
    append(",\"response_bytes\":")
    appendNumber(entry.responseByteCount)
    append(",\"duration_ms\":")
    appendMilliseconds(entry.nanoseconds)
    appendMember(",\"route\":\"", entry.text(.route), isPlain)
    appendUpstreamMembers(entry, isPlain)
    appendMember(",\"issuer\":\"", entry.text(.issuer), isPlain)
    appendMember(",\"subject\":\"", entry.text(.subject), isPlain)
    appendMember(",\"reason\":\"", entry.text(.reason), isPlain)
    appendMember(",\"request_id\":\"", entry.text(.requestID), isPlain)
    appendMember(",\"trace_id\":\"", entry.text(.traceID), isPlain)
    appendMember(",\"user_agent\":\"", entry.text(.userAgent), isPlain)
    appendMember(",\"referer\":\"", entry.text(.referer), isPlain)
    append(UInt8(ascii: "}"))
  }

  private mutating func appendUpstreamMembers(_ entry: borrowing AccessLogEntry, _ isPlain: Bool) {
    appendMember(",\"upstream\":\"", entry.text(.upstream), isPlain)
    appendMember(",\"server\":\"", entry.text(.server), isPlain)
    if entry.upstreamStatus > 0 {
      append(",\"upstream_status\":")
      appendNumber(UInt64(clamping: entry.upstreamStatus))
    }
    if entry.attemptCount > 1 {
      append(",\"attempts\":")
      appendNumber(UInt64(clamping: entry.attemptCount))
    }
    if let nanoseconds = entry.connectNanoseconds {
      append(",\"upstream_connect_ms\":")
      appendMilliseconds(nanoseconds)
    }
    if let nanoseconds = entry.responseNanoseconds {
      append(",\"upstream_response_ms\":")
      appendMilliseconds(nanoseconds)
    }
    if let status = entry.grpcStatus {
      append(",\"grpc_status\":")
      appendNumber(UInt64(clamping: status))
    }
  }

  private mutating func appendMember(_ opening: StaticString, _ text: Span<UInt8>, _ isPlain: Bool) {
    if text.isEmpty { return }
    append(opening)
    if isPlain { append(text) } else { appendJSONText(text) }
    append(UInt8(ascii: "\""))
  }

  // MARK: combined

  /// Apache's combined format; the user is the token's subject.
  fileprivate mutating func appendCombinedLine(_ entry: borrowing AccessLogEntry) {
    appendColumn(entry.text(.clientIP), escapesSpace: true)
    append(" - ")
    appendColumn(entry.text(.subject), escapesSpace: true)
    append(" [")
    appendApacheTime(CivilTime(unixMilliseconds: entry.unixMilliseconds))
    append("] \"")
    appendColumn(entry.text(.method), escapesSpace: true)
    append(UInt8(ascii: " "))
    appendColumn(entry.text(.path), escapesSpace: true)
    append(UInt8(ascii: " "))
    appendColumn(entry.text(.protocol), escapesSpace: true)
    append("\" ")
    if entry.status > 0 { appendNumber(UInt64(clamping: entry.status)) } else { append(UInt8(ascii: "-")) }
    append(UInt8(ascii: " "))
    if entry.responseByteCount > 0 { appendNumber(entry.responseByteCount) } else { append(UInt8(ascii: "-")) }
    append(" \"")
    appendColumn(entry.text(.referer), escapesSpace: false)
    append("\" \"")
    appendColumn(entry.text(.userAgent), escapesSpace: false)
    append(UInt8(ascii: "\""))
  }

  private mutating func appendColumn(_ text: Span<UInt8>, escapesSpace: Bool) {
    if text.isEmpty { append(UInt8(ascii: "-")) } else { appendLogText(text, escapesSpace: escapesSpace) }
  }

  // MARK: template

  /// One field; `-` when absent. Between quotes it cannot end them, and without quotes it stays one column.
  fileprivate mutating func appendTemplateField(
    _ field: AccessLogField, of entry: borrowing AccessLogEntry, isQuoted: Bool
  ) {
    switch field {
    case .time: appendTimestamp(CivilTime(unixMilliseconds: entry.unixMilliseconds))
    case .status: appendStatus(entry.status)
    case .upstreamStatus: appendStatus(entry.upstreamStatus)
    case .attempts: appendStatus(entry.attemptCount)
    case .requestBytes: appendNumber(entry.requestByteCount)
    case .responseBytes: appendNumber(entry.responseByteCount)
    case .duration: appendMilliseconds(entry.nanoseconds)
    case .upstreamConnect: appendDuration(entry.connectNanoseconds)
    case .upstreamResponse: appendDuration(entry.responseNanoseconds)
    case .grpcStatus:
      if let status = entry.grpcStatus { appendNumber(UInt64(clamping: status)) } else { append(UInt8(ascii: "-")) }
    case .tlsResumed: append(entry.isTLSResumed.map { $0 ? "true" : "false" } ?? "-")
    case .clientIP, .method, .host, .path, .protocol, .tlsVersion, .tlsCipher, .alpn, .route, .upstream, .server,
      .issuer,
      .subject, .reason, .requestID, .traceID, .userAgent, .referer:
      appendColumn(entry.text(field), escapesSpace: !isQuoted)
    }
  }

  private mutating func appendStatus(_ status: Int) {
    if status > 0 { appendNumber(UInt64(clamping: status)) } else { append(UInt8(ascii: "-")) }
  }

  private mutating func appendDuration(_ nanoseconds: UInt64?) {
    if let nanoseconds { appendMilliseconds(nanoseconds) } else { append(UInt8(ascii: "-")) }
  }
}
