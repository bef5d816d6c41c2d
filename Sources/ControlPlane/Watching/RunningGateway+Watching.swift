// `catraca run --watch`: when the configuration changes on disk, it is read again, as a signal would have it.

import Configuration
import FoundationEssentials
import Logging

/// What became of the attempts to read the configuration while the gateway runs.
struct ReloadRecord {
  var succeededCount: UInt64 = 0
  var failedCount: UInt64 = 0
  /// Seconds since 1970. Nil before the first.
  var lastTime: Int64?
  /// When the running configuration was read, in seconds since 1970.
  var lastSuccessTime = Int64(Date.now.timeIntervalSince1970)
  /// What was wrong the last time, one finding a line. Empty when it was taken over.
  var errors: [String] = []
  /// What the last attempt has read, the first at the start.
  var sources = ConfigurationSources()

  /// LIMIT: errors that are kept. The log has all.
  private static let errorCountMax = 50

  mutating func note(failure: String?, at time: Int64) {
    lastTime = time
    errors = (failure ?? "").split(separator: "\n").prefix(Self.errorCountMax).map(String.init)
    if failure == nil {
      succeededCount += 1
      lastSuccessTime = time
    } else {
      failedCount += 1
    }
  }
}

extension RunningGateway {
  /// How often it is looked for changes that the system does not report, as on network file systems.
  private static let watchInterval = Duration.seconds(5)
  /// How long files must stay as they are before they are read: a writer may not be done.
  private static let settlingTime = Duration.milliseconds(200)
  private static let settlingLooksMax = 25

  /// Runs until its task is cancelled.
  nonisolated func followSources() async {
    let watch = FolderWatch()
    let first = await reloads.sources
    log.notice(
      "watching the configuration", metadata: ["files": "\(first.files.count)", "patterns": "\(first.matches.count)"])
    watch.lookAgain()
    await withDiscardingTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          try? await Task.sleep(for: Self.watchInterval)
          watch.lookAgain()
        }
      }
      var problem: String?
      for await _ in watch.changes {
        let before = await reloads.sources
        // First, so that nothing comes between that is not seen.
        let found = watch.watch(WatchedFolders.of(before))
        if let found, found != problem {
          log.warning(
            "changes of the configuration are noticed with a delay",
            metadata: ["reason": "\(found)", "delay": "\(Self.watchInterval)"])
        }
        problem = found
        if before.current() == before { continue }
        await settle(before)
        log.notice("the configuration has changed on disk")
        _ = await reload()
        // It may have other files now.
        if await reloads.sources != before { watch.lookAgain() }
      }
      group.cancelAll()
    }
  }

  private nonisolated func settle(_ sources: ConfigurationSources) async {
    var state = sources.current()
    for _ in 0..<Self.settlingLooksMax {
      try? await Task.sleep(for: Self.settlingTime)
      let next = sources.current()
      if next == state { return }
      state = next
    }
  }
}
