// One call of a service, and the requests that wait for its answer.

import Bytes
import Configuration
import HTTPWire

/// What a call came to.
enum AuthorizationVerdict {
  /// With these lines for the upstream.
  case passed([UInt8])
  /// 401 or 403.
  case refused(SideAnswer)
  case failed
}

final class AuthorizationCall: SideRequest {
  let service: CompiledService
  /// Nil where the answer is for one request only.
  private let key: [UInt8]?
  let hash: UInt64
  /// The end of the caller's credential, in seconds since 1970.
  private let callerEnd: Int64
  private let begunAt: Int64
  private var askers: [Exchange] = []
  /// Nil while it is under way.
  private(set) var verdict: AuthorizationVerdict?

  /// LIMIT: so many requests wait for one answer.
  private static let askerCountMax = 10_000

  init(_ service: CompiledService, key: [UInt8]?, hash: UInt64, callerEnd: Int64, _ worker: Worker) {
    self.service = service
    self.key = key
    self.hash = hash
    self.callerEnd = callerEnd
    begunAt = worker.time.nanoseconds
    super.init(worker: worker, end: worker.time.nanoseconds &+ service.timeout)
  }

  /// - Parameter asker: the first of those who wait.
  func begin(_ head: [UInt8], to pool: UpstreamPool, for asker: Exchange) {
    worker.authorizations.began(self, isShared: key != nil)
    send(head, to: pool, for: asker)
  }

  func isAbout(_ question: Span<UInt8>) -> Bool {
    guard let key else { return false }
    return key.span.equals(question)
  }

  // MARK: Those who wait

  /// - Returns: its position. Nil where too many wait.
  func add(_ exchange: Exchange) -> Int? {
    if askers.count >= Self.askerCountMax { return nil }
    askers.append(exchange)
    return askers.count - 1
  }

  /// An exchange no longer waits.
  func remove(at position: Int) {
    guard let last = askers.indices.last, position <= last else { return }
    // The last one takes its position, so that the cost does not grow with those that wait.
    askers.swapAt(position, last)
    askers[position].wait = .authorization(self, position: position)
    askers.removeLast()
  }

  // MARK: The answer

  override func ended(_ result: SideResult) {
    let verdict: AuthorizationVerdict
    var failure = ""
    var lifetime = service.cacheDuration
    switch result {
    case .failed(let reason):
      verdict = .failed
      failure = reason.rawValue
    case .answered(let answer) where (200..<300).contains(answer.status):
      verdict = .passed(answer.lines(of: service.answerFields))
      lifetime = min(lifetime, answer.freshNanoseconds)
    case .answered(let answer) where answer.status == 401 || answer.status == 403:
      verdict = .refused(answer)
    case .answered(let answer):
      verdict = .failed
      failure = "status \(answer.status)"
    }
    self.verdict = verdict
    let isCurrent = worker.authorizations.ended(self, isShared: key != nil)
    let change = worker.circuits.noteOutcome(of: service.name, failure: failure, at: worker.time.nanoseconds)
    if let change {
      worker.commands.append(.reportUpstream(service.upstreamName, change))
    }
    worker.counters.countAuthorizationCall(
      service: service.counterID, nanoseconds: UInt64(clamping: worker.time.nanoseconds &- begunAt))
    if isCurrent, let key, lifetime > 0, case .passed(let lines) = verdict {
      worker.authorizations.remember(
        key, hash, lines, until: worker.time.nanoseconds &+ lifetime, callerEnd: callerEnd)
    }
    let askers = askers
    self.askers = []
    for exchange in askers { exchange.authorizationEnded(self, verdict) }
  }
}

extension SideAnswer {
  /// Those of its fields that go to the upstream.
  fileprivate func lines(of wanted: [(name: [UInt8], prefix: [UInt8])]) -> [UInt8] {
    if wanted.isEmpty { return [] }
    let head = head
    var lines = ByteQueue()
    for field in wanted {
      for value in values(of: field.name.span) where !value.isEmpty {
        lines.append(field.prefix)
        lines.append(head.span.extracting(value))
        lines.append("\r\n")
      }
    }
    return lines.copied()
  }

  /// How long `Cache-Control` lets it be remembered (RFC 9111 §5.2.2). What cannot be read counts as not at all.
  fileprivate var freshNanoseconds: Int64 {
    let head = head
    var result = Int64.max
    for value in values(of: .cacheControl) {
      var elements = ListElements(value)
      while let element = elements.next(in: head.span) {
        let directive = head.span.extracting(element)
        if directive.equalsIgnoringCase("no-store") || directive.equalsIgnoringCase("no-cache") { return 0 }
        guard let sign = directive.firstIndex(of: UInt8(ascii: "=")) else { continue }
        let name = directive.extracting(0..<sign)
        if name.equalsIgnoringCase("max-age") || name.equalsIgnoringCase("s-maxage") {
          result = min(result, Self.nanoseconds(directive.extracting(sign + 1..<directive.count)))
        }
      }
    }
    return result
  }

  private static func nanoseconds(_ text: Span<UInt8>) -> Int64 {
    if text.isEmpty { return 0 }
    var seconds: Int64 = 0
    for index in text.indices {
      let digit = text[index] &- UInt8(ascii: "0")
      if digit > 9 { return 0 }
      seconds = min(seconds * 10 + Int64(digit), 1_000_000)
    }
    return seconds * 1_000_000_000
  }
}
