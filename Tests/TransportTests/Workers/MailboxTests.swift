// Work that other threads send to a worker: run in its order on the worker's loop, and refused once the worker has
// ended.

import Synchronization
import Testing

@testable import Transport

@Suite("A worker's mailbox")
struct MailboxTests {
  @Test("Jobs run in the order in which they were posted, those that a job posts behind them")
  func order() throws {
    let mailbox = try Mailbox()
    let loop = try makeLoop(mailbox)
    let seen = Mutex<[Int]>([])
    for number in 0..<3 { mailbox.post { _ in seen.withLock { $0.append(number) } } }
    mailbox.post { _ in
      mailbox.post { loop in
        seen.withLock { $0.append(3) }
        loop.stop()
      }
    }
    loop.run()
    #expect(seen.withLock(\.self) == [0, 1, 2, 3])
  }

  @Test("What was taken is not taken again")
  func taking() throws {
    let mailbox = try Mailbox()
    mailbox.post { _ in }
    mailbox.post { _ in }
    #expect(mailbox.take().count == 2)
    #expect(mailbox.take().isEmpty)
  }

  @Test("What was never run is given back at the end, and nothing is taken any more")
  func closing() async throws {
    let mailbox = try Mailbox()
    mailbox.post { _ in }
    #expect(mailbox.close().count == 1)
    #expect(mailbox.close().isEmpty)
    #expect(!mailbox.post { _ in })
    #expect(await mailbox.submit { _ in 1 } == nil)
  }

  @Test("A submitted job gives its result to the caller, from the worker's own thread")
  func submitting() async throws {
    let mailbox = try Mailbox()
    try WorkerThread.start(name: "mailbox") {
      try? makeLoop(mailbox).run()
      _ = mailbox.close()
    }
    #expect(await mailbox.submit { _ in 7 } == 7)
    mailbox.post { $0.stop() }
  }

  @Test("A job that comes while the worker ends is run before nothing is taken any more")
  func ending() throws {
    let mailbox = try Mailbox()
    let loop = try makeLoop(mailbox)
    let count = Mutex(0)
    mailbox.post { loop in
      loop.stop()
      mailbox.post { _ in count.withLock { $0 += 1 } }
    }
    loop.run()
    #expect(count.withLock(\.self) == 1)
    #expect(!mailbox.post { _ in })
  }
}
