// Who is meant by an event of the poller. A descriptor's number is used again as soon as it is closed, so an event may
// be about one that is gone: its token says of which use of the number it speaks.

/// Whom a worker's poller watches.
class Watched {
  let descriptor: Descriptor
  /// Zero while it is not watched.
  fileprivate(set) final var token: UInt64 = 0

  init(_ descriptor: Descriptor) { self.descriptor = descriptor }

  /// The descriptor has something to say.
  func ready(_ readiness: Readiness) {}
}

/// The watched ones of one worker, by their descriptors' numbers, which are small and dense.
struct WatchTable {
  private var entries: [Watched?] = []
  private var uses: UInt64 = 0

  /// Gives it a token of its own.
  mutating func insert(_ watched: Watched) {
    let place = Int(watched.descriptor.number)
    while entries.count <= place { entries.append(nil) }
    uses = (uses &+ 1) & 0x7FFF_FFFF
    watched.token = uses << 32 | UInt64(UInt32(bitPattern: watched.descriptor.number))
    entries[place] = watched
  }

  /// Nil for an event of a descriptor that was closed meanwhile.
  func find(_ token: UInt64) -> Watched? {
    let place = Int(token & 0xFFFF_FFFF)
    guard entries.indices.contains(place), let found = entries[place], found.token == token else { return nil }
    return found
  }

  mutating func remove(_ watched: Watched) {
    let place = Int(watched.descriptor.number)
    if entries.indices.contains(place), entries[place] === watched { entries[place] = nil }
    watched.token = 0
  }
}
