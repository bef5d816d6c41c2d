// The servers of an upstream in the order in which requests go to them. `round_robin` uses it where shares differ, and
// `least_requests` always. A choice costs the logarithm of their number.
//
// Each server has the time at which it is due, on a clock of the queue's own. One that is taken is due again after a
// step, which is the shorter the greater its share is. The clock shows when the one that was taken last was due, so a
// server that was busy for long, or out of rotation, has nothing to catch up on.

struct ServerQueue {
  private struct Entry {
    var activeCount: Int
    let share: Int
    var due: UInt64
    /// Into ``servers``.
    let index: Int
  }

  /// Whether the server with the fewest requests for its share comes first, and time decides among equals alone.
  private let isByLoad: Bool
  /// A heap: none is behind the two below it.
  private var entries: [Entry] = []
  /// Where in the heap each server is.
  private var places: [Int] = []
  /// Those in rotation.
  private var servers: [UpstreamServer] = []
  private var clock: UInt64 = 0

  init(isByLoad: Bool) { self.isByLoad = isByLoad }

  // MARK: Requests

  /// The server that is first. Nil where there are none.
  var first: UpstreamServer? { entries.first.map { servers[$0.index] } }

  /// A request goes to the server, out of turn. It counts from now on.
  mutating func count(at server: UpstreamServer) {
    guard let place = place(of: server) else { return }
    entries[place].activeCount = server.load.activeCount + 1
    sink(place)
  }

  /// A request goes to the server, whose turn it is. It counts from now on.
  mutating func take(_ server: UpstreamServer) {
    guard let place = place(of: server) else { return }
    // Differences wrap around: a queue may count for years.
    if Self.isBefore(clock, entries[place].due) { clock = entries[place].due }
    server.load.due = clock &+ server.load.dueStep
    entries[place].due = server.load.due
    entries[place].activeCount = server.load.activeCount + 1
    sink(place)
  }

  /// The server's requests are others than those that were taken for it.
  mutating func loadChanged(of server: UpstreamServer) {
    guard let place = place(of: server) else { return }
    entries[place].activeCount = server.load.activeCount
    rise(place)
    sink(place)
  }

  private func place(of server: UpstreamServer) -> Int? {
    let index = server.load.queueIndex
    return servers.indices.contains(index) && servers[index] === server ? places[index] : nil
  }

  // MARK: Servers

  /// Those that stay keep their turn, as far away for their new share as it was for the old one. Those that come are
  /// spread over a step, so that equals do not come in a row.
  mutating func rotationChanged(_ rotation: borrowing Rotation) {
    let stays = rotation.servers.map { place(of: $0) != nil }
    var freshCounts: [Int: Int] = [:]
    for (server, stays) in zip(rotation.servers, stays) where !stays { freshCounts[server.load.share, default: 0] += 1 }
    var ranks: [Int: Int] = [:]
    servers = rotation.servers
    entries = []
    for (index, server) in servers.enumerated() {
      let share = max(1, server.load.share)
      let step = Self.step(ofShare: share)
      if stays[index] {
        let rest = Double(Int64(bitPattern: server.load.due &- clock)) / Double(server.load.dueStep)
        server.load.due = clock &+ UInt64(max(0, rest) * Double(step))
      } else {
        let rank = ranks[server.load.share, default: 0]
        ranks[server.load.share] = rank + 1
        let part = (Double(rank) + 0.5) / Double(freshCounts[server.load.share] ?? 1)
        server.load.due = clock &+ UInt64(part * Double(step))
      }
      server.load.dueStep = step
      server.load.queueIndex = index
      entries.append(
        Entry(activeCount: server.load.activeCount, share: share, due: server.load.due, index: index))
    }
    places = Array(entries.indices)
    for place in entries.indices.reversed() { sink(place) }
  }

  /// So fine that the greatest share is kept to within a thousandth.
  private static func step(ofShare share: Int) -> UInt64 { (1 << 40) / UInt64(share) }

  // MARK: The heap

  private static func isBefore(_ time: UInt64, _ other: UInt64) -> Bool { Int64(bitPattern: time &- other) < 0 }

  private func isBefore(_ entry: Entry, _ other: Entry) -> Bool {
    if isByLoad {
      let (load, otherLoad) = (entry.activeCount &* other.share, other.activeCount &* entry.share)
      if load != otherLoad { return load < otherLoad }
    }
    return entry.due == other.due ? entry.index < other.index : Self.isBefore(entry.due, other.due)
  }

  private mutating func rise(_ start: Int) {
    var place = start
    while place > 0, isBefore(entries[place], entries[(place - 1) / 2]) {
      exchange(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  private mutating func sink(_ start: Int) {
    var place = start
    while true {
      var first = place
      let left = 2 * place + 1
      if left < entries.count, isBefore(entries[left], entries[first]) { first = left }
      if left + 1 < entries.count, isBefore(entries[left + 1], entries[first]) { first = left + 1 }
      if first == place { return }
      exchange(place, first)
      place = first
    }
  }

  private mutating func exchange(_ place: Int, _ other: Int) {
    entries.swapAt(place, other)
    places[entries[place].index] = place
    places[entries[other].index] = other
  }
}
