// Where lists of revoked tokens meet the gateway.

import Configuration
import Logging
import NIOPosix
import Proxy

extension RevocationRegistry {
  static func live(
    _ registry: KeySetRegistry, _ link: GatewayLink, _ configuration: GatewayConfiguration, _ log: Logger,
    _ notices: NoticeBoard
  ) -> RevocationRegistry {
    RevocationRegistry(
      environment: .live(DocumentFetcher(group: MultiThreadedEventLoopGroup.singleton), registry) {
        await link.ask($0, $1, at: .key($2), changed: $3)
      }, stateDirectory: configuration.stateDirectory, log: log, notices: notices, publish: link.publishRevocations)
  }
}

extension RunningGateway {
  /// How long the listeners wait for the first lists.
  private static let firstListsLimit = Duration.seconds(1)

  /// Before the listeners are there, so that the first clients are not turned away.
  func lookAtRevocationsFirst() async {
    await revocations.apply(configuration)
    await revocations.lookFirst(within: Self.firstListsLimit)
    await revocations.publishAll()
  }
}
