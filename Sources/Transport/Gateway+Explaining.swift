// What the workers know of a token, for an explanation.

import Proxy
package import Tokens

extension Gateway {
  /// What an issuer says of a token: what a worker remembers, or else what the issuer says to the first worker now.
  /// - Parameters:
  ///   - issuer: index into the issuers of the configuration with this generation.
  package func word(
    of issuer: Int, about token: [UInt8], generation: UInt64
  ) async -> (answer: Answer, isRemembered: Bool) {
    for worker in workers {
      let known = await worker.submit { loop in
        loop.worker.snapshot.generation == generation
          ? loop.worker.remembered(token, of: issuer, at: loop.now()) : nil
      }
      if let known, let answer = known { return (answer, true) }
    }
    let unavailable = Answer.refused(.introspectionUnavailable)
    guard let worker = workers.first else { return (unavailable, false) }
    let answer = await withCheckedContinuation { continuation in
      let isTaken = worker.post { loop in
        guard loop.worker.snapshot.generation == generation else {
          return continuation.resume(returning: unavailable)
        }
        loop.worker.ask(issuer: issuer, about: token, at: loop.now()) { continuation.resume(returning: $0) }
        loop.runCommands()
      }
      if !isTaken { continuation.resume(returning: unavailable) }
    }
    return (answer, false)
  }
}
