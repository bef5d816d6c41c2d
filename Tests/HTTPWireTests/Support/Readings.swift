// What the parsers made of an input, as values that tests can compare. Each input is read whole and split at every
// byte.

import Bytes
import HTTPWire
import Testing

func text(_ span: Span<UInt8>, _ range: Range<Int>) -> String { span.extracting(range).text() }

/// All that a request head says.
struct RequestReading: Equatable {
  var progress = HeadProgress.incomplete
  var method = Method.other
  var target = ""
  var pathAndQuery = ""
  var form = TargetForm.origin
  var version = Version.http11
  var framing = BodyFraming.none
  var authority: String?
  var isPersistent = false
  var expectsContinue = false
  var asksForUpgrade = false
  var fields: [String] = []
  var hopByHop: [String] = []

  init(_ head: borrowing RequestHead, _ progress: HeadProgress) {
    self.progress = progress
    guard case .complete = progress else { return }
    let span = head.bytes.span
    method = head.method
    target = text(span, head.targetRange)
    pathAndQuery = text(span, head.pathAndQueryRange)
    form = head.targetForm
    version = head.version
    framing = head.framing
    authority = head.authority.map { text(span, $0) }
    isPersistent = head.isPersistent
    expectsContinue = head.expectsContinue
    asksForUpgrade = head.asksForUpgrade
    for field in head.fields {
      fields.append(text(span, field.name) + "=" + text(span, field.value))
      if field.isHopByHop { hopByHop.append(text(span, field.name)) }
    }
  }

  /// The head read from `bytes` in one piece.
  static func whole(_ bytes: [UInt8], limits: HeadLimits = HeadLimits()) -> RequestReading {
    var head = RequestHead()
    let progress = head.parse(bytes.span, limits: limits)
    return RequestReading(head, progress)
  }

  /// The head read from `bytes` as they come one by one.
  static func byteByByte(_ bytes: [UInt8], limits: HeadLimits = HeadLimits()) -> RequestReading {
    var head = RequestHead()
    var progress = HeadProgress.incomplete
    for count in 0...bytes.count {
      progress = head.parse(bytes.span.extracting(0..<count), limits: limits)
      if progress != .incomplete { break }
    }
    return RequestReading(head, progress)
  }
}

/// Reads a request head whole, byte by byte, and split in two at every place, and expects one answer.
func readRequest(
  _ bytes: [UInt8], limits: HeadLimits = HeadLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> RequestReading {
  let whole = RequestReading.whole(bytes, limits: limits)
  #expect(RequestReading.byteByByte(bytes, limits: limits) == whole, sourceLocation: sourceLocation)
  var head = RequestHead()
  for split in bytes.indices {
    head.reset()
    var progress = head.parse(bytes.span.extracting(0..<split), limits: limits)
    if progress == .incomplete { progress = head.parse(bytes.span, limits: limits) }
    let reading = RequestReading(head, progress)
    if reading != whole { Issue.record("split at \(split): \(reading)", sourceLocation: sourceLocation) }
  }
  return whole
}

func readRequest(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> RequestReading {
  readRequest(Array(text.utf8), sourceLocation: sourceLocation)
}

/// A request of HTTP/1.1 with these lines besides Host.
func request(_ line: String = "GET / HTTP/1.1", fields: String...) -> String {
  line + "\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
}

/// All that a response head says about the answer to a GET.
struct ResponseReading: Equatable {
  var progress = HeadProgress.incomplete
  var status = 0
  var reason = ""
  var version = Version.http11
  var framing: BodyFraming?
  var isPersistent = false
  var fields: [String] = []

  init(_ head: borrowing ResponseHead, _ progress: HeadProgress, to method: Method) {
    self.progress = progress
    guard case .complete = progress else { return }
    let span = head.bytes.span
    status = head.status
    reason = text(span, head.reasonRange)
    version = head.version
    framing = head.framing(requestMethod: method)
    isPersistent = head.isPersistent
    for field in head.fields { fields.append(text(span, field.name) + "=" + text(span, field.value)) }
  }
}

/// Reads a response head whole and split at every byte, and expects one answer.
func readResponse(
  _ bytes: [UInt8], to method: Method = .get, sourceLocation: SourceLocation = #_sourceLocation
) -> ResponseReading {
  var head = ResponseHead()
  let limits = HeadLimits()
  let progress = head.parse(bytes.span, limits: limits)
  let whole = ResponseReading(head, progress, to: method)
  for split in bytes.indices {
    head.reset()
    var progress = head.parse(bytes.span.extracting(0..<split), limits: limits)
    if progress == .incomplete { progress = head.parse(bytes.span, limits: limits) }
    let reading = ResponseReading(head, progress, to: method)
    if reading != whole { Issue.record("split at \(split): \(reading)", sourceLocation: sourceLocation) }
  }
  return whole
}

func readResponse(
  _ text: String, to method: Method = .get, sourceLocation: SourceLocation = #_sourceLocation
) -> ResponseReading {
  readResponse(Array(text.utf8), to: method, sourceLocation: sourceLocation)
}
