// Each proof counts once over all workers, and nonces are those of the time.

import Cryptography
import Dispatch
import Synchronization
import Testing

@testable import Tokens

@Suite struct ReplayMemoryTests {
  private func identity(_ number: Int) -> [UInt8] { SHA256.digest(Array("\(number)".utf8).span) }

  @Test("T101: A proof is fresh once, and again when it is too old anyway")
  func once() {
    let memory = ReplayMemory(byteCount: 1 << 16)
    #expect(memory.note(identity(1), until: testNow + 91, now: testNow) == .fresh)
    #expect(memory.note(identity(1), until: testNow + 91, now: testNow) == .seen)
    #expect(memory.note(identity(1), until: testNow + 91, now: testNow + 90) == .seen)
    // A clock that is set back makes nothing fresh.
    #expect(memory.note(identity(1), until: testNow + 91, now: testNow - 1000) == .seen)
    #expect(memory.note(identity(2), until: testNow + 91, now: testNow) == .fresh)
    #expect(memory.note(identity(1), until: testNow + 200, now: testNow + 91) == .fresh)
  }

  @Test("T101: A memory that is full takes no more, forgets nothing, and has room again later")
  func full() {
    // 512 slots.
    let memory = ReplayMemory(byteCount: 4096)
    let outcomes = (0..<5000).map { memory.note(identity($0), until: testNow + 91, now: testNow) }
    let freshCount = outcomes.count { $0 == .fresh }
    #expect(freshCount > 460 && freshCount <= 512 && !outcomes.contains(.seen), "\(freshCount)")
    for number in 0..<5000 {
      let again = memory.note(identity(number), until: testNow + 91, now: testNow + 90)
      #expect(again != .fresh && (outcomes[number] != .fresh || again == .seen))
    }
    #expect(memory.note(identity(6000), until: testNow + 300, now: testNow + 91) == .fresh)
  }

  @Test("It tells how full it is, and of a large one it is near the truth")
  func fill() {
    let small = ReplayMemory(byteCount: 5000)
    for number in 0..<100 { _ = small.note(identity(number), until: testNow + 91, now: testNow) }
    #expect(small.fill(now: testNow) == (used: 800, limit: 4096))
    #expect(small.fill(now: testNow + 91) == (used: 0, limit: 4096))
    let large = ReplayMemory(byteCount: 1 << 22)
    for number in 0..<100_000 { _ = large.note(identity(number), until: testNow + 91, now: testNow) }
    let (used, limit) = large.fill(now: testNow)
    #expect(limit == 1 << 22 && used > 780_000 && used < 820_000, "\(used)")
  }

  @Test("A reload that changes its size forgets nothing")
  func reload() {
    let first = ReplayMemory(byteCount: 1 << 14)
    #expect(first.note(identity(1), until: testNow + 91, now: testNow) == .fresh)
    let second = ReplayMemory(byteCount: 1 << 15, after: ReplayMemory(byteCount: 1 << 13, after: first))
    #expect(second.note(identity(1), until: testNow + 91, now: testNow) == .seen)
    #expect(second.note(identity(2), until: testNow + 91, now: testNow) == .fresh)
  }

  @Test("T101: Of many threads that show the same proofs, exactly one is let through with each")
  func race() {
    let memory = ReplayMemory(byteCount: 1 << 18)
    let count = 4000
    let fresh = Mutex([Int](repeating: 0, count: count))
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      var own: [Int] = []
      for number in 0..<count where memory.note(identity(number), until: testNow + 91, now: testNow) == .fresh {
        own.append(number)
      }
      fresh.withLock { for number in own { $0[number] += 1 } }
    }
    #expect(fresh.withLock { $0.allSatisfy { $0 == 1 } })
  }

  @Test(
    "T101: A nonce is good in its period and the next one, in every gateway with one of the secrets, and nowhere else")
  func nonces() throws {
    let (a, b) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
    func nonces(_ secrets: [[UInt8]]) -> ProofNonces {
      var nonces = ProofNonces()
      nonces.install(ProofNonceKeys(secrets: secrets))
      return nonces
    }
    var (first, rotated, other) = (nonces([a]), nonces([b, a]), nonces([b]))
    let begin = testNow / 60 * 60
    let current = first.current(seconds: 60, now: begin)
    let nonce = try #require(current)
    #expect(nonce.count == 24)
    func judge(_ nonces: inout ProofNonces, _ now: Int64) -> ProofNonces.Judgement {
      nonces.judge(nonce, seconds: 60, leeway: 5, now: now)
    }
    // The last two: a gateway whose clock is behind, by as much as clocks may differ.
    for (second, expected) in [
      (0, .good), (59, .good), (60, .ageing), (119, .ageing), (120, .unknown), (-5, .good), (-6, .unknown),
    ] as [(Int64, ProofNonces.Judgement)] {
      let judgement = judge(&first, begin + second)
      #expect(judgement == expected, "\(second)")
    }
    let ofRotated = judge(&rotated, begin)
    let ofOther = judge(&other, begin)
    #expect(ofRotated == .ageing && ofOther == .unknown)
    let currents = [rotated.current(seconds: 60, now: begin), other.current(seconds: 60, now: begin)]
    #expect(currents[0] == currents[1])
    let strangers = [
      first.judge(nonce, seconds: 61, leeway: 5, now: begin), first.judge([], seconds: 60, leeway: 5, now: begin),
    ]
    #expect(strangers == [.unknown, .unknown])
    var none = ProofNonces()
    let ofNone = (none.current(seconds: 60, now: begin), judge(&none, begin))
    #expect(ofNone.0 == nil && ofNone.1 == .unknown)
  }
}
