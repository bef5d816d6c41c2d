// What a worker has asked, and the requests that wait for the answers. Those that ask the same wait together for one
// answer, at most a second. The table is bounded. How often an issuer is asked for keys is bounded as well, here and,
// over all workers, by the control plane (T21).

import Bytes
import Tokens

struct Questions {
  private struct Inquiry {
    var askers: [Exchange] = []
    /// In steady nanoseconds.
    var end: Int64
    /// The keys that were asked for came by another way.
    var hasNewKeys = false
    /// The session's tokens were renewed for it.
    var isRenewed = false

    func isForgotten(at now: Int64) -> Bool { end <= now && askers.isEmpty }
  }

  private var inquiries: [Question: Inquiry] = [:]
  private var keyLooks: [LookBudget]

  /// LIMIT: a request waits no longer than a second: this, and the tenth of one in which deadlines are looked at.
  static let waitNanoseconds: Int64 = 900_000_000
  /// LIMIT: so many requests wait for one answer.
  static let askerCountMax = 10_000
  /// LIMIT: so many questions are under way.
  static let countMax = 4096

  init(issuerCount: Int) {
    keyLooks = Array(repeating: LookBudget(), count: issuerCount)
  }

  /// Questions under way, those included that nobody waits for any more.
  var count: Int { inquiries.count }

  var askerCount: Int { inquiries.values.reduce(0) { $0 + $1.askers.count } }

  /// Lets an exchange wait, and asks unless that has been asked already.
  /// - Parameters:
  ///   - nanoseconds: how long it waits, if it is the first.
  ///   - look: asks in another way than the control plane. False where nobody would answer.
  /// - Returns: why it does not wait.
  mutating func ask(
    _ question: Question, _ credential: Span<UInt8>, for exchange: Exchange,
    within nanoseconds: Int64 = waitNanoseconds,
    by look: ((Question) -> Bool)? = nil
  ) -> TokenRefusal? {
    let now = exchange.worker.time.nanoseconds
    let end: Int64
    let position: Int
    // The tick forgets a question that nobody waits for. Until then it is as good as gone.
    if let index = inquiries.index(forKey: question), !inquiries.values[index].isForgotten(at: now) {
      end = inquiries.values[index].end
      position = inquiries.values[index].askers.count
      if position >= Self.askerCountMax { return question.source.refusalOfCrowd }
      inquiries.values[index].askers.append(exchange)
    } else {
      if inquiries.count >= Self.countMax { return question.source.refusalOfCrowd }
      guard mayAsk(question.source, at: now) else { return question.source.refusalOfSilence }
      if let look {
        guard look(question) else { return question.source.refusalOfSilence }
      } else {
        exchange.worker.commands.append(.ask(question, credential: credential.copied()))
      }
      (end, position) = (now &+ nanoseconds, 0)
      inquiries[question] = Inquiry(askers: [exchange], end: end)
    }
    exchange.wait = .question(question, position: position, until: end)
    if let downstream = exchange.downstream { downstream.deadline = min(downstream.deadline, end) }
    return nil
  }

  private mutating func mayAsk(_ source: Question.Source, at now: Int64) -> Bool {
    switch source {
    case .keySet(let issuer): keyLooks.indices.contains(issuer) && keyLooks[issuer].take(at: now)
    case .introspection, .statusList, .session, .apiKey: true
    }
  }

  /// The question is answered: those that wait for it, and whether they have new keys whatever the answer says.
  mutating func take(_ question: Question) -> (askers: [Exchange], hasNewKeys: Bool) {
    guard let inquiry = inquiries.removeValue(forKey: question) else { return ([], false) }
    return (inquiry.askers, inquiry.hasNewKeys)
  }

  mutating func noteNewKeys(_ question: Question) { inquiries[question]?.hasNewKeys = true }

  // MARK: Sessions whose tokens are renewed

  /// One of those that wait for the answer.
  func asker(of question: Question) -> Exchange? { inquiries[question]?.askers.first }

  func isRenewed(_ question: Question) -> Bool { inquiries[question]?.isRenewed ?? false }

  mutating func noteRenewal(_ question: Question) { inquiries[question]?.isRenewed = true }

  /// Those that wait for the answer wait longer.
  mutating func prolong(_ question: Question, until end: Int64) {
    guard var inquiry = inquiries[question] else { return }
    inquiry.end = end
    for position in inquiry.askers.indices {
      inquiry.askers[position].wait = .question(question, position: position, until: end)
    }
    inquiries[question] = inquiry
  }

  /// A new configuration brings key sets and lists of its own, which answers all questions for these. Other questions
  /// stay, and are answered under the configuration in which they were asked.
  mutating func takeForKeys(issuerCount: Int) -> [Exchange] {
    keyLooks = Array(repeating: LookBudget(), count: issuerCount)
    var askers: [Exchange] = []
    for (question, inquiry) in inquiries {
      switch question.source {
      case .keySet, .statusList: break
      case .introspection, .session, .apiKey: continue
      }
      askers += inquiry.askers
      inquiries[question] = nil
    }
    return askers
  }

  /// Called ten times a second: forgets what was not answered in time.
  mutating func forgetUnanswered(at now: Int64) {
    for (question, inquiry) in inquiries where inquiry.isForgotten(at: now) {
      inquiries[question] = nil
    }
  }

  /// An exchange no longer waits.
  mutating func remove(_ exchange: Exchange) {
    guard case .question(let question, let position, let end) = exchange.wait,
      let last = inquiries[question]?.askers.indices.last, position <= last
    else { return }
    // The last one takes its position, so that the cost does not grow with those that wait.
    inquiries[question]?.askers.swapAt(position, last)
    inquiries[question]?.askers[position].wait = .question(question, position: position, until: end)
    inquiries[question]?.askers.removeLast()
  }
}
