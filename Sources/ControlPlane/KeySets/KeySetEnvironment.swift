// Everything outside that key sets depend on, as values: time, chance, the network and the disk. Tests bring their own.

package import Configuration
import Glibc
package import TLS

/// What the registry asks the world.
package struct KeySetEnvironment: Sendable {
  package typealias Fetch =
    @Sendable (
      _ url: String, _ trust: Trust, _ bearer: BearerToken?
    ) async -> Result<Document, FetchError>

  /// Time that never jumps, since an origin of its own.
  package var now: @Sendable () -> Duration
  /// Seconds since 1970.
  package var wallTime: @Sendable () -> Int64
  /// Comes back at that time of `now`, or when the task is cancelled.
  package var sleep: @Sendable (_ until: Duration) async -> Void
  /// A number in 0..<1.
  package var random: @Sendable () -> Double
  /// One GET, which may show a bearer token.
  package var fetch: Fetch
  package var files: any KeySetFiles

  package init(
    now: @escaping @Sendable () -> Duration, wallTime: @escaping @Sendable () -> Int64,
    sleep: @escaping @Sendable (_ until: Duration) async -> Void, random: @escaping @Sendable () -> Double,
    fetch: @escaping Fetch,
    files: any KeySetFiles
  ) {
    self.now = now
    self.wallTime = wallTime
    self.sleep = sleep
    self.random = random
    self.fetch = fetch
    self.files = files
  }

  /// The real world.
  package static func live(_ fetcher: DocumentFetcher) -> KeySetEnvironment {
    let clock = ContinuousClock()
    let origin = clock.now
    return KeySetEnvironment(
      now: { origin.duration(to: clock.now) },
      wallTime: { Int64(time(nil)) },
      sleep: { until in try? await clock.sleep(until: origin.advanced(by: until)) },
      random: { Double.random(in: 0..<1) },
      fetch: { url, trust, bearer in
        do throws(FetchError) {
          return .success(try await fetcher.get(url: url, trust: trust, FetchTerms(bearer: bearer)))
        } catch {
          return .failure(error)
        }
      },
      files: SystemFiles())
  }
}

/// The few things that are done with files.
package protocol KeySetFiles: Sendable {
  func signature(of path: String) -> FileSignature
  /// The bytes, at most `byteCountMax`: a longer file is an error, as is one that cannot be read.
  func read(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8]
  /// As `read`, but only a plain file that is ours or root's, and that nobody else may write (T88).
  func readOwn(_ path: String, byteCountMax: Int) throws(FileError) -> [UInt8]
  /// Why others could lay files down in this folder, and what to do about it (T88). nil when they cannot, or it is not
  /// there.
  func folderProblem(_ path: String) -> String?
  /// Puts the file there whole or not at all, for the owner's eyes only (0600).
  func replace(_ path: String, with bytes: [UInt8]) throws(FileError)
}

/// A file that could not be read or written, in the system's words.
package struct FileError: Error, Sendable, Equatable {
  package var reason: String

  package init(_ reason: String) { self.reason = reason }
}
