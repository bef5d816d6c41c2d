// The curve of the status page.

import Testing

@testable import ControlPlane

@Suite("The history of requests")
struct RequestHistoryTests {
  @Test("It keeps rates of the last ten minutes, the oldest first, and none is negative")
  func rates() {
    var history = RequestHistory()
    let start = ContinuousClock.now
    history.note(100, at: start)
    #expect(history.rates == [])
    history.note(150, at: start + .seconds(5))
    history.note(150, at: start + .seconds(10))
    history.note(140, at: start + .seconds(15))
    history.note(141, at: start + .seconds(15))
    history.note(142, at: start + .seconds(18))
    #expect(history.rates == [10, 0, 0, 0.33])
    for step in 1...200 { history.note(UInt64(142 + step * step), at: start + .seconds(18 + step)) }
    #expect(history.rates.count == RequestHistory.countMax)
    #expect(history.rates.last == 399)
    #expect(history.rates == history.rates.sorted())
  }
}
