// The process's beginning and end as others see them: ready, draining, followed by another process, gone.

import Configuration
import Logging
import Proxy
import Transport

/// How far a process is on its way to its end.
struct GatewayEnding {
  /// `/readyz` says so, and no reload begins.
  var hasBegun = false
  /// The time in which everything is still served. It can be cut short.
  var delay: Task<Void, Never>?
  /// The service manager knows that the process stops: nothing about its state may follow.
  var isStopReported = false
  /// Another process starts.
  var isUpgrading = false
}

/// A configuration came too late.
struct StoppingError: Error, CustomStringConvertible {
  var description: String { "the gateway is stopping" }
}

/// A service manager passed a socket that the configuration has no listener for.
struct UnusedSocketError: Error, CustomStringConvertible {
  let name: String

  var description: String {
    "the service manager passed a socket for \(name), and no listener has that address: name it in 'listeners', or "
      + "take it out of the socket unit"
  }
}

extension RunningGateway {
  /// How long clients that are connected may go on with this process once another one accepts: idle connections are
  /// closed then, and the others have been asked with an answer to connect again.
  private static let handOverDelay = Duration.seconds(2)

  /// In words: routes, issuers, and what the configuration was read from.
  var summary: String {
    let routes = snapshot.configuration.routes.count
    let issuers = snapshot.configuration.issuers.count
    return "\(routes) \(routes == 1 ? "route" : "routes"), \(issuers) \(issuers == 1 ? "issuer" : "issuers"), "
      + process.file
  }

  func announceReady() async {
    var metadata: Logger.Metadata = ["workers": "\(gateway.workerCount)", "version": "\(process.version)"]
    // What `/readyz` says, too.
    let missing = await obstacles()
    if !missing.isEmpty { metadata["but"] = "\(missing.joined(separator: ", "))" }
    log.notice("ready: \(summary)", metadata: metadata)
    reportReady()
    process.inheritance.announceReady()
  }

  /// Requests need little of the program that has read the file.
  func reportReady() {
    ProgramCode.giveBack()
    process.manager.report(.ready(summary))
  }

  /// Reports to the service manager that all workers still work, as often as it asks for it.
  func reportLife() async {
    guard let interval = process.manager.watchdogInterval else { return }
    while !Task.isCancelled {
      if await gateway.isAlive() { process.manager.report(.alive) }
      try? await Task.sleep(for: interval)
    }
  }

  /// After `drain_delay`, in which `/readyz` says what comes, stops taking connections, lets requests finish within
  /// `drain_timeout`, and writes the last log lines.
  /// - Returns: false at once where the process drains already, behind an upgrade. That drain goes on.
  package func drain() async -> Bool {
    if ending.hasBegun {
      log.notice("already draining: a second signal ends what is left at once")
      return false
    }
    ending.hasBegun = true
    ending.isStopReported = true
    process.manager.report(.stopping)
    let limits = snapshot.configuration.limits
    if limits.drainDelay > .zero {
      log.notice("draining soon", metadata: ["delay": "\(limits.drainDelay)"])
      await delay(limits.drainDelay)
    }
    await admin.stopListening()
    await finish(within: limits.drainTimeout)
    return true
  }

  private func delay(_ duration: Duration) async {
    let delay = Task { _ = try? await Task.sleep(for: duration) }
    ending.delay = delay
    await delay.value
    ending.delay = nil
  }

  private func finish(within timeout: Duration) async {
    let counters = await counters()
    let active = snapshot.configuration.listeners.indices.reduce(0) {
      $0 + counters.connections(listener: snapshot.counterNames.listenerID($1), .active)
    }
    log.notice(
      "draining: a second signal ends what is left at once", metadata: ["active": "\(active)", "timeout": "\(timeout)"])
    await gateway.drain(timeout: timeout)
    await telemetry.finish(await metricsPage())
    if await !logWriter.flush() { log.error("the access log's destination accepts nothing, its last lines are lost") }
    await admin.stop()
    log.notice("stopped")
  }

  /// What a drain still waits for is cut off.
  package func endNow() {
    guard ending.hasBegun else { return }
    log.notice("stopping at once")
    ending.delay?.cancel()
    gateway.endDrain()
  }

  /// Starts the program again with the listening sockets of this process, and drains once the new process is ready. One
  /// that does not become ready changes nothing.
  /// - Returns: whether another process has taken over.
  package func upgrade() async -> Bool {
    if ending.hasBegun || ending.isUpgrading { return false }
    guard let path = process.command.first else { return false }
    ending.isUpgrading = true
    defer { ending.isUpgrading = false }
    do {
      let sockets = await gateway.listeningSockets() + admin.listeningSockets
      let successor = try Successor.start(path, process.command, process.environment, sockets: sockets)
      log.notice("a new process starts", metadata: ["pid": "\(successor.processID)", "program": "\(path)"])
      try await successor.awaitReadiness()
      if ending.hasBegun { return false }
      ending.hasBegun = true
      process.manager.report(.followed(by: successor.processID))
      log.notice("the new process takes over", metadata: ["pid": "\(successor.processID)"])
    } catch {
      log.error("the new process did not start, this one goes on", metadata: ["error": "\(error)"])
      return false
    }
    await gateway.handOver()
    await admin.stopListening()
    await delay(Self.handOverDelay)
    await finish(within: snapshot.configuration.limits.drainTimeout)
    return true
  }
}
