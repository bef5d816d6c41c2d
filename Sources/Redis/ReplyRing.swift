// Who waits for the replies of one connection. Redis answers in the order in which it was asked, so a reply belongs to
// the one who has waited for the longest. One who waits no more leaves its place behind, and the reply that comes for
// it is for nobody. So no reply is ever taken for another's.
//
// Public, where most is `package`: the compiler makes the code for its users' types in their modules.

public struct ReplyRing<Asker> {
  @usableFromInline struct Place {
    @usableFromInline var asker: Asker?
    /// In steady nanoseconds.
    @usableFromInline let end: Int64

    @usableFromInline init(asker: Asker?, end: Int64) {
      self.asker = asker
      self.end = end
    }
  }

  /// A power of two of them.
  @usableFromInline var places: [Place?] = []
  /// The ticket of the place that is answered next. Places follow each other by the low bits of their tickets.
  @usableFromInline var first: UInt64 = 0
  @usableFromInline var takenCount = 0
  /// LIMIT: so many wait at one time.
  @usableFromInline let countMax: Int

  public init(countMax: Int) { self.countMax = countMax }

  /// Places that are taken, those included that nobody waits at any more.
  @inlinable public var count: Int { takenCount }

  /// Waits for the reply to the command that is written next.
  /// - Parameter end: steady nanoseconds at which nobody waits any more.
  /// - Returns: the ticket of the place, or nil where there is none.
  @inlinable
  public mutating func append(_ asker: Asker, until end: Int64) -> UInt64? {
    if count >= countMax { return nil }
    if count == places.count { grow() }
    let ticket = first &+ UInt64(truncatingIfNeeded: count)
    places[slot(of: ticket)] = Place(asker: asker, end: end)
    takenCount += 1
    return ticket
  }

  /// What a reply finds.
  public enum Taken {
    case asker(Asker)
    /// Its asker waits no more.
    case nobody
    /// Nothing was asked.
    case nothingAsked
  }

  /// A reply has come.
  @inlinable
  public mutating func takeFirst() -> Taken {
    if count == 0 { return .nothingAsked }
    let slot = slot(of: first)
    let asker = places[slot]?.asker
    places[slot] = nil
    first &+= 1
    takenCount -= 1
    return asker.map { .asker($0) } ?? .nobody
  }

  /// The asker of a ticket waits no more. Its place stays, for the reply.
  @inlinable
  public mutating func leave(_ ticket: UInt64) {
    if ticket &- first < UInt64(truncatingIfNeeded: count) { places[slot(of: ticket)]?.asker = nil }
  }

  /// Those whose time has passed, in the order in which they asked. They wait no more.
  public mutating func takeLate(at now: Int64) -> [Asker] {
    var late: [Asker] = []
    for step in 0..<count {
      let slot = slot(of: first &+ UInt64(truncatingIfNeeded: step))
      if let place = places[slot], let asker = place.asker, place.end <= now {
        late.append(asker)
        places[slot]?.asker = nil
      }
    }
    return late
  }

  /// The connection is gone: all who still wait, in the order in which they asked.
  public mutating func takeAll() -> [Asker] {
    var askers: [Asker] = []
    while count > 0 {
      if case .asker(let asker) = takeFirst() { askers.append(asker) }
    }
    return askers
  }

  @inlinable
  func slot(of ticket: UInt64) -> Int { Int(truncatingIfNeeded: ticket) & (places.count - 1) }

  @usableFromInline
  mutating func grow() {
    var larger = [Place?](repeating: nil, count: max(16, places.count * 2))
    for step in 0..<count {
      let ticket = first &+ UInt64(truncatingIfNeeded: step)
      larger[Int(truncatingIfNeeded: ticket) & (larger.count - 1)] = places[slot(of: ticket)]
    }
    places = larger
  }
}
