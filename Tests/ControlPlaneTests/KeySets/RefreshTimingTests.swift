// The arithmetic of refresh and back-off.

import Testing

@testable import ControlPlane

@Suite struct RefreshTimingTests {
  @Test(
    "T73 max-age counts between a minute and a day, anything else leaves `refresh`",
    arguments: [
      ([], 600), (["max-age=300"], 300), (["max-age=0"], 60), (["max-age=59"], 60), (["max-age=61"], 61),
      (["max-age=86401"], 86400), (["max-age=9223372036854775807"], 86400),
      (["max-age=99999999999999999999999"], 86400), (["no-store"], 600), (["no-store, max-age=300"], 600),
      (["no-cache"], 600), (["private"], 600),
    ] as [([String], Int)])
  func lifetime(fields: [String], seconds: Int) {
    #expect(RefreshTiming.lifetime(CacheControl(fields: fields), refresh: .seconds(600)) == .seconds(seconds))
  }

  @Test("Refresh is spread by a tenth either way")
  func jitter() {
    #expect(RefreshTiming.jittered(.seconds(100), random: 0) == .seconds(90))
    #expect(RefreshTiming.jittered(.seconds(100), random: 0.5) == .seconds(100))
    let last = RefreshTiming.jittered(.seconds(100), random: 0.999_999)
    #expect(last > .seconds(109) && last <= .seconds(110))
  }

  @Test("T64 The wait after a failure doubles from 1 s up to `refresh`, spread by a quarter")
  func backOff() {
    func wait(_ count: Int, random: Double = 0.5) -> Duration {
      RefreshTiming.backOff(failureCount: count, refresh: .seconds(600), hasKeys: true, random: random)
    }
    #expect((1...11).map { wait($0).components.seconds } == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600])
    #expect(wait(.max) == .seconds(600))
    #expect(wait(1, random: 0) == .milliseconds(750))
    #expect(wait(20, random: 0) == .seconds(450))
    #expect(wait(20, random: 0.999_999) <= .seconds(750))
    #expect(
      RefreshTiming.backOff(failureCount: 9, refresh: .milliseconds(1), hasKeys: true, random: 0.5) == .seconds(1))
  }

  @Test("T100 As long as there are no keys the wait after a failure is never more than 5 s")
  func backOffWithoutKeys() {
    func wait(_ count: Int, refresh: Int = 600, random: Double = 0.5) -> Duration {
      RefreshTiming.backOff(failureCount: count, refresh: .seconds(refresh), hasKeys: false, random: random)
    }
    #expect((1...6).map { wait($0).components.seconds } == [1, 2, 4, 4, 4, 4])
    #expect(wait(.max, random: 0.999_999) <= .seconds(5))
    #expect(wait(9, refresh: 2) == .seconds(2))
    #expect(wait(9, refresh: 1, random: 0) == .milliseconds(750))
  }

  @Test(
    "What a document has spent in other caches is taken off its max-age",
    arguments: [
      (["max-age=3600"], ["600"], 3000), (["max-age=3600"], ["3590"], 60),
      (["max-age=3600"], ["99999999999999999999"], 60),
      (["max-age=3600"], ["-5"], 3600), (["max-age=3600"], ["x"], 3600), (["max-age=3600"], ["1", "2"], 3599),
      (["max-age=99999999999999999999"], ["5"], 86400), ([], ["500"], 600), (["no-store, max-age=300"], ["5"], 600),
    ] as [([String], [String], Int)])
  func age(fields: [String], ages: [String], seconds: Int) {
    let cacheControl = CacheControl(fields: fields, ages: ages)
    #expect(RefreshTiming.lifetime(cacheControl, refresh: .seconds(600)) == .seconds(seconds))
  }
}
