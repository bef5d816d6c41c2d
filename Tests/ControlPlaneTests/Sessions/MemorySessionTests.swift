// The list of sessions in memory: whose they are, when they end, and who is told.

import NIOConcurrencyHelpers
import Testing
import Tokens

@testable import ControlPlane

@Suite("Sessions in memory")
struct MemorySessionTests {
  private let time = NIOLockedValueBox<Int64>(1000)
  private let forgotten = NIOLockedValueBox<[[UInt8]]>([])
  private let changed = NIOLockedValueBox<[[UInt8]]>([])

  private func store() -> MemorySessions {
    MemorySessions(
      now: { [time] in time.withLockedValue { $0 } },
      forget: { [forgotten, changed] digest, isOver in
        (isOver ? forgotten : changed).withLockedValue { $0.append(digest) }
      })
  }

  private func digest(_ number: Int) -> [UInt8] {
    (0..<32).map { UInt8(truncatingIfNeeded: $0 == 0 ? number : $0 == 1 ? number >> 8 : 7) }
  }

  private func begin(
    _ store: MemorySessions, _ number: Int, subject: String = "ada", session: String = "web", replaced: Int? = nil,
    sid: String = "", tokens: String = ""
  ) async -> Bool {
    var record = SessionRecord(
      session: session, issuer: "login", subject: Array(subject.utf8), providerSession: Array(sid.utf8),
      claims: Array("{\"sub\":\"\(subject)\"}".utf8), lifetimeSeconds: 3600, idleSeconds: 600)
    record.tokens = Array(tokens.utf8)
    return await SessionLists(memory: store)
      .change(.begin(record, digest: digest(number), replaced: replaced.map { digest($0) }))
  }

  private func isThere(_ store: MemorySessions, _ number: Int, session: String = "web") async -> Bool {
    let isThere = NIOLockedValueBox(false)
    await store.answer(digest(number), of: Array(session.utf8)) { answer in
      if case .session(let statement) = answer, statement.endsAt == 4600 { isThere.withLockedValue { $0 = true } }
    }
    return isThere.withLockedValue { $0 }
  }

  private func wait(_ seconds: Int64) { time.withLockedValue { $0 += seconds } }

  @Test("A session lives while it is used, and ends with its lifetime all the same")
  func ends() async {
    let store = store()
    #expect(await begin(store, 1))
    for _ in 0..<6 {
      wait(599)
      #expect(await isThere(store, 1))
    }
    wait(5)
    #expect(await isThere(store, 1))
    wait(1)
    #expect(await !isThere(store, 1))
    #expect(await store.count == 0)
    #expect(forgotten.withLockedValue { $0.isEmpty })
  }

  @Test("A session that nobody used for idle_timeout has ended")
  func idle() async {
    let store = store()
    #expect(await begin(store, 1))
    wait(600)
    #expect(await store.list().isEmpty)
    #expect(await !isThere(store, 1))
  }

  @Test("A cookie counts under the name that it was given for, and one that was never given does not")
  func names() async {
    let store = store()
    #expect(await begin(store, 1))
    #expect(await !isThere(store, 1, session: "admin"))
    #expect(await !isThere(store, 2))
    #expect(await isThere(store, 1))
  }

  @Test("A new session ends the one that the browser had, of the same name only, and all workers hear of it")
  func replaced() async {
    let store = store()
    #expect(await begin(store, 1))
    #expect(await begin(store, 2, session: "admin", replaced: 1))
    #expect(await isThere(store, 1))
    #expect(await begin(store, 3, replaced: 1))
    #expect(await !isThere(store, 1))
    #expect(await isThere(store, 3))
    #expect(forgotten.withLockedValue { $0 } == [digest(1)])
  }

  @Test("All sessions of a subject end at once, and nobody else's")
  func subjects() async {
    let store = store()
    for number in 1...3 { #expect(await begin(store, number)) }
    #expect(await begin(store, 4, subject: "bob"))
    #expect(await store.list(.subject(Array("ada".utf8))).count == 3)
    #expect(await store.end(.subject(Array("ada".utf8))) == 3)
    #expect(await store.end(.subject(Array("ada".utf8))) == 0)
    #expect(Set(forgotten.withLockedValue { $0 }) == Set((1...3).map { digest($0) }))
    #expect(await store.list().map(\.subject) == ["bob"])
    #expect(await isThere(store, 4))
  }

  @Test("A caller has a hundred sessions at most: the oldest ends for a new one")
  func bounded() async {
    let store = store()
    for number in 0..<150 { #expect(await begin(store, number)) }
    #expect(await store.count == 100)
    #expect(await store.counts == ["web": 100])
    #expect(await !isThere(store, 49))
    #expect(await isThere(store, 50))
    #expect(forgotten.withLockedValue { $0.count } == 50)
  }

  @Test("An issuer ends the sessions that it knows by one name, and another issuer's stay")
  func providerSessions() async {
    let store = store()
    #expect(await begin(store, 1, sid: "one"))
    #expect(await begin(store, 2, sid: "two"))
    #expect(await store.end(.providerSession(issuer: "other", Array("one".utf8))) == 0)
    #expect(await store.end(.providerSession(issuer: "login", Array("one".utf8))) == 1)
    #expect(await !isThere(store, 1))
    #expect(await isThere(store, 2))
    #expect(await store.end(.owner(issuer: "login", subject: Array("ada".utf8))) == 1)
    #expect(await store.count == 0)
  }

  @Test("Tokens are replaced by who has read the last ones, and workers ask again then")
  func tokens() async {
    let store = store()
    #expect(await begin(store, 1, tokens: "old"))
    #expect(await store.tokens(of: digest(2)) == nil)
    #expect(await store.tokens(of: digest(1)) == KeptTokens(bytes: Array("old".utf8), fence: 0))
    #expect(await store.replaceTokens(of: digest(1), with: Array("new".utf8), fence: 0))
    #expect(await !store.replaceTokens(of: digest(1), with: Array("late".utf8), fence: 0))
    #expect(await store.tokens(of: digest(1)) == KeptTokens(bytes: Array("new".utf8), fence: 1))
    #expect(changed.withLockedValue { $0 } == [digest(1)])
    #expect(forgotten.withLockedValue { $0.isEmpty })
  }

  @Test("One holder at a time has the lock of a session, who may hold it for longer")
  func locks() async {
    let store = store()
    #expect(await store.lock(digest(1), holder: [1], seconds: 5))
    #expect(await !store.lock(digest(1), holder: [2], seconds: 5))
    wait(4)
    #expect(await store.lock(digest(1), holder: [1], seconds: 5))
    wait(4)
    #expect(await !store.lock(digest(1), holder: [2], seconds: 5))
    wait(1)
    #expect(await store.lock(digest(1), holder: [2], seconds: 5))
    await store.unlock(digest(1), holder: [1])
    #expect(await !store.lock(digest(1), holder: [3], seconds: 5))
    await store.unlock(digest(1), holder: [2])
    #expect(await store.lock(digest(1), holder: [3], seconds: 5))
  }
}
