// The ring of refusals of one worker, and of several together.

import Testing
import Tokens

@testable import Proxy

@Suite("The last refusals")
struct LastRefusalsTests {
  private func refusals(_ times: some Sequence<Int>) -> Newest<LastRefusal> {
    var result = Newest<LastRefusal>()
    for time in times {
      result.note(
        LastRefusal(
          unixMilliseconds: Int64(time), refusal: .token(.tokenMissing), route: nil, requestID: "\(time)"))
    }
    return result
  }

  @Test("A worker keeps the last twenty, the newest first")
  func ring() {
    #expect(refusals(0..<0).elements == [])
    #expect(refusals(1...3).elements.map(\.requestID) == ["3", "2", "1"])
    for count in [19, 20, 21, 39, 40, 41, 1000] {
      let expected = (1...count).reversed().prefix(20).map { "\($0)" }
      #expect(refusals(1...count).elements.map(\.requestID) == expected)
    }
  }

  @Test("Of several workers the newest twenty are left")
  func merged() {
    var all = refusals(stride(from: 1, through: 99, by: 2))
    all.merge(refusals(stride(from: 2, through: 100, by: 2)))
    all.merge(refusals(0..<0))
    #expect(all.elements.map(\.requestID) == (81...100).reversed().map { "\($0)" })
  }
}
