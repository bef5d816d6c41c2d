// Posts messages to one place, one after the other. The connection is kept for the next one: a new one for each would
// cost more than the message.

internal import Configuration
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOPosix
internal import TLS

final class MessageSender: Sendable {
  private struct Kept {
    var connection: KeptConnection
    var url: String
    var trust: Trust
    var openedAt: NIODeadline
  }

  /// LIMIT: a connection is used for so long, so that a renewed authority and another address count.
  private static let ageMax = TimeAmount.minutes(1)

  // One loop, on which connections are found again.
  private let fetcher = DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton.next())
  private let kept = NIOLockedValueBox<Kept?>(nil)

  /// - Returns: the answer, whatever its status.
  func post(
    _ post: Posting, to url: String, trust: Trust, deadline: Duration
  ) async throws(FetchError) -> Document {
    guard let known = takeKept(url, trust) else {
      return try await send(post, url, trust, over: nil, openedAt: .now(), deadline)
    }
    do throws(FetchError) {
      return try await send(post, url, trust, over: known.connection, openedAt: known.openedAt, deadline)
    } catch {
      switch error {
      // The peer may have closed it before the message came.
      case .truncated, .connectFailed:
        return try await send(post, url, trust, over: nil, openedAt: .now(), deadline)
      default: throw error
      }
    }
  }

  private func send(
    _ post: Posting, _ url: String, _ trust: Trust, over connection: KeptConnection?, openedAt: NIODeadline,
    _ deadline: Duration
  ) async throws(FetchError) -> Document {
    try await fetcher.post(post, to: url, trust: trust, over: connection, deadline: deadline) { [kept] connection in
      let fresh = Kept(connection: connection, url: url, trust: trust, openedAt: openedAt)
      kept.withLockedValue { $0 = fresh }
    }
  }

  private func takeKept(_ url: String, _ trust: Trust) -> Kept? {
    guard let known = kept.withLockedValue({ kept in kept.take() }) else { return nil }
    if known.url == url, known.trust == trust, known.connection.channel.isActive, .now() - known.openedAt < Self.ageMax
    {
      return known
    }
    known.connection.channel.close(promise: nil)
    return nil
  }

  deinit { kept.withLockedValue { $0?.connection.channel.close(promise: nil) } }
}
