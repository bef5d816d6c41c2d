// One issuer's life as events in, decisions out. Time is a value.

import Testing
import Tokens

@testable import Configuration
@testable import ControlPlane

@Suite struct IssuerKeysTests {
  private func keys(refresh: Int = 600, stale: Int = 3600) -> IssuerKeys {
    var issuer = issuer(.url("https://idp.test/keys"), refresh: .seconds(refresh))
    issuer.stale = .seconds(stale)
    return IssuerKeys(issuer: issuer, now: .zero)
  }

  private func loaded(_ ids: String, cacheControl: [String] = []) throws -> LoadResult {
    let body = keySet(ids)
    let set = try KeySet.parse(body.span, algorithms: SignatureAlgorithm.asymmetric)
    return .loaded(
      LoadedKeySet(keySet: set, body: body, origin: "o", cacheControl: CacheControl(fields: cacheControl)))
  }

  /// One load at a time, with its result.
  @discardableResult
  private func load(_ keys: inout IssuerKeys, at seconds: Int, _ result: LoadResult) -> IssuerKeys.Change {
    let hasBegun1 = keys.begin(now: .seconds(seconds))
    #expect(hasBegun1)
    return keys.finished(result, now: .seconds(seconds), wallTime: Int64(seconds), random: 0.5)
  }

  @Test("The first load is due at once, later ones after `refresh`, and only one at a time")
  func cycle() throws {
    var keys = keys()
    #expect(keys.deadline == .zero)
    let hasBegun2 = keys.begin(now: .zero)
    #expect(hasBegun2)
    let hasBegun3 = keys.begin(now: .zero)
    #expect(!hasBegun3)
    #expect(keys.deadline == nil)
    let change4 = try keys.finished(loaded("a"), now: .seconds(1), wallTime: 1, random: 0.5)
    #expect(change4 == .published)
    #expect(keys.deadline == .seconds(601))
    let hasBegun5 = keys.begin(now: .seconds(600))
    #expect(!hasBegun5)
    #expect(load(&keys, at: 601, try loaded("a")) == .none)
    #expect(load(&keys, at: 1201, try loaded("b")) == .published)
    #expect(keys.results == ["success": 3])
  }

  @Test("T73 no-store is refreshed as configured, max-age counts instead of `refresh`")
  func cacheControl() throws {
    var keys = keys()
    load(&keys, at: 0, try loaded("a", cacheControl: ["no-store"]))
    #expect(keys.deadline == .seconds(600))
    load(&keys, at: 600, try loaded("a", cacheControl: ["max-age=3600"]))
    #expect(keys.deadline == .seconds(4200))
  }

  @Test("T23 A failure leaves the set, is counted by its reason, and is tried again soon")
  func failure() throws {
    var keys = keys()
    load(&keys, at: 0, try loaded("a"))
    for (count, failure) in [RefreshFailure.notJSON, .fetch(.status(500)), .fetch(.timeout), .notJSON].enumerated() {
      let due = try #require(keys.deadline).components.seconds
      #expect(load(&keys, at: Int(due), .failed(failure)) == .none)
      #expect(keys.keySet.map(keyIDs) == ["a"])
      #expect(keys.nextLoad == .seconds(due + 1 << count))
    }
    #expect(keys.results == ["success": 1, "not_json": 2, "status": 1, "timeout": 1])
    #expect(keys.lastFailure == .notJSON)
    #expect(load(&keys, at: 700, try loaded("a")) == .none)
    #expect(keys.failureCount == 0 && keys.lastFailure == nil)
  }

  @Test("The last good set serves until `stale` after it was fresh, and is then withdrawn once")
  func stale() throws {
    var keys = keys(refresh: 600, stale: 1000)
    load(&keys, at: 0, try loaded("a"))
    let change6 = keys.expire(now: .seconds(100_000))
    #expect(change6 == .none, "nothing has failed")
    load(&keys, at: 600, .failed(.notJSON))
    #expect(keys.withdrawal == .seconds(1600))
    let change7 = keys.expire(now: .seconds(1599))
    #expect(change7 == .none)
    let change8 = keys.expire(now: .seconds(1600))
    #expect(change8 == .withdrawn)
    #expect(keys.keySet == nil)
    let change9 = keys.expire(now: .seconds(1601))
    #expect(change9 == .none)
    #expect(load(&keys, at: 1700, try loaded("a")) == .published)
  }

  @Test("Withdrawal is a deadline of its own, also while a load is under way")
  func withdrawalDeadline() throws {
    var keys = keys(refresh: 600, stale: 1)
    load(&keys, at: 0, try loaded("a"))
    load(&keys, at: 600, .failed(.notJSON))
    let hasBegun10 = keys.begin(now: .seconds(601))
    #expect(hasBegun10)
    #expect(keys.deadline == .seconds(601))
    let change11 = keys.expire(now: .seconds(601))
    #expect(change11 == .withdrawn)
    #expect(keys.deadline == nil)
  }

  @Test("T21 T100 Unknown key ids ask for one load at a time, for three of them at once, and for one more each 10 s")
  func unknownKey() throws {
    var keys = keys()
    load(&keys, at: 0, try loaded("a"))
    let answer12 = keys.metUnknownKey(now: .seconds(1))
    #expect(answer12 == .load)
    let answer13 = keys.metUnknownKey(now: .seconds(1))
    #expect(answer13 == .join, "due, not yet begun")
    let hasBegun14 = keys.begin(now: .seconds(1))
    #expect(hasBegun14)
    let answer15 = keys.metUnknownKey(now: .seconds(2))
    #expect(answer15 == .join)
    _ = keys.finished(try loaded("a"), now: .seconds(2), wallTime: 2, random: 0.5)
    for (milliseconds, answer) in [
      (2000, IssuerKeys.Answer.load), (2000, .load), (2000, .notNow), (10_999, .notNow), (11_000, .load),
      (11_001, .notNow), (21_000, .load), (21_000, .notNow), (60_000, .load), (60_000, .load), (60_000, .load),
      (60_000, .notNow),
    ] {
      let given = keys.metUnknownKey(now: .milliseconds(milliseconds))
      #expect(given == answer, "\(milliseconds) ms")
      if given == .load { load(&keys, at: milliseconds / 1000, try loaded("a")) }
    }
  }

  @Test("T64 Without keys an unknown key id asks for nothing: the back-off holds")
  func unknownKeyWithoutKeys() {
    var keys = keys()
    load(&keys, at: 0, .failed(.fetch(.status(500))))
    let answer19 = keys.metUnknownKey(now: .milliseconds(500))
    #expect(answer19 == .notNow)
    #expect(keys.nextLoad == .seconds(1))
  }

  @Test("T100 A reload asks an issuer that failed at once, and leaves one that is well alone")
  func reload() throws {
    var keys = keys()
    load(&keys, at: 0, .failed(.fetch(.status(500))))
    load(&keys, at: 1, .failed(.fetch(.status(500))))
    #expect(keys.nextLoad == .seconds(3))
    keys.update(keys.issuer, now: .seconds(2))
    #expect(keys.nextLoad == .seconds(2))
    load(&keys, at: 2, .failed(.fetch(.status(500))))
    #expect(keys.nextLoad == .seconds(3), "as patient as at the start")
    load(&keys, at: 3, try loaded("a"))
    keys.update(keys.issuer, now: .seconds(4))
    #expect(keys.nextLoad == .seconds(603))
  }

  @Test("T100 When keys are withdrawn, what was planned while there were some is brought forward")
  func withdrawnEarly() throws {
    var keys = keys(refresh: 600, stale: 700)
    load(&keys, at: 0, try loaded("a"))
    var now = 600
    while now < 1200 {
      load(&keys, at: now, .failed(.fetch(.status(500))))
      now = Int(try #require(keys.nextLoad).components.seconds)
    }
    #expect(now > 1305)
    let change = keys.expire(now: .seconds(1300))
    #expect(change == .withdrawn)
    #expect(keys.nextLoad == .seconds(1301))
  }

  @Test("Failures that requests asked for do not lengthen the back-off")
  func onDemandFailures() throws {
    var keys = keys()
    load(&keys, at: 0, try loaded("a"))
    load(&keys, at: 600, .failed(.notJSON))
    for turn in 1...5 {
      let now = 600 + turn * 10
      _ = keys.metUnknownKey(now: .seconds(now))
      load(&keys, at: now, .failed(.notJSON))
    }
    #expect(keys.failureCount == 1)
  }

  @Test("A stored set serves until `stale` after its fetch, and does not put off the first load")
  func adopt() throws {
    let body = keySet("s")
    let set = try KeySet.parse(body.span, algorithms: SignatureAlgorithm.asymmetric)
    for (fetchedAt, isTaken) in [
      (Int64(9_000), true), (6_401, true), (6_400, false), (0, false), (10_059, true), (10_100, false), (.min, false),
      (.max, false),
    ] {
      var keys = keys(stale: 3600)
      let taken = keys.adopt(set, body: body, fetchedAt: fetchedAt, now: .seconds(5), wallTime: 10_000)
      #expect(taken == isTaken, "\(fetchedAt)")
      #expect((keys.keySet != nil) == isTaken)
      #expect(keys.nextLoad == .zero)
      if fetchedAt == 9_000 {
        load(&keys, at: 5, .failed(.fetch(.timeout)))
        #expect(keys.withdrawal == .seconds(5 + 2600))
      }
    }
  }
}
