// What the control plane learns about a token in order to explain a request: what a worker remembers of it, or what its
// issuer says now. The question goes the way of all others. What comes of it is counted nowhere and not remembered, so
// no later request is answered in another way for it.

import Bytes
import Configuration
import JSON
package import Tokens

extension Worker {
  /// What an issuer has said of a token, as far as this worker still goes by it. Nil where it would ask.
  /// - Parameter issuer: index into the configuration's issuers.
  package func remembered(_ token: [UInt8], of issuer: Int, at time: Time) -> Answer? {
    self.time = time
    let keys = keySets.indices.contains(issuer) ? keySets[issuer] : nil
    if let caller = tokenCache.peek(token.span, keys, now: time.unixSeconds), caller.issuer == issuer {
      switch caller.proof {
      case .answer(.introspection, let end): return .statement(Statement(claims: caller.claims, freshUntil: end))
      case .confirmed(_, _, let end):
        guard let word = try? JSONDocument(Array("{\"active\":true}".utf8)) else { return nil }
        return .statement(Statement(claims: word, freshUntil: end))
      case .answer, .signature, .apiKey: return nil
      }
    }
    let digest = Question(.introspection(issuer: issuer), generation: 0, credential: token.span).digest
    return introspections.refusals.has(digest, of: issuer, at: time.nanoseconds) ? .refused(.tokenInactive) : nil
  }

  /// Asks an issuer about a token.
  /// - Parameter reply: is called once.
  package func ask(
    issuer: Int, about token: [UInt8], at time: Time, _ reply: @escaping @Sendable (Answer) -> Void
  ) {
    self.time = time
    guard let rules = snapshot.introspection(of: issuer), let pool = pool(at: rules.upstream, of: snapshot),
      let asked = rules.question(about: token.span, now: time.unixSeconds),
      // LIMIT: as with requests, no more are under way than `concurrency`, and nobody is asked who does not answer.
      circuits.mayAsk(rules.issuerName, rules.timeout, at: time.nanoseconds),
      introspections.begin(issuer, max: rules.concurrency)
    else { return reply(.refused(.introspectionUnavailable)) }
    let question = Question(
      .introspection(issuer: issuer), generation: snapshot.generation, credential: token.span)
    let call = IntrospectionCall(
      question, rules, issuer: issuer, generation: snapshot.generation, confirming: nil, self, reply: reply)
    _ = call.begin(asked, to: pool, for: nil)
  }
}
