// Other keys for assertions without a reload: the files are looked at as those of TLS are. Workers take what is good.

import Configuration
import Logging
import Proxy
import Transport

extension RunningGateway {
  /// In turn with reloads, which read the keys as well.
  func renewAssertionKeys() async {
    if snapshot.configuration.assertions.isEmpty { return }
    await inTurn { await self.takeOverAssertionKeys() }
  }

  private func takeOverAssertionKeys() async {
    if ending.hasBegun { return }
    do throws(AssertionKeyError) {
      guard let signers = try assertionKeys.renewedSigners(of: snapshot.configuration) else { return }
      let fresh = Snapshot(snapshot, resolved: snapshot.configuration, signers: signers)
      await gateway.installParts(of: fresh)
      snapshot = fresh
      log.notice("keys of assertions renewed")
    } catch {
      log.error("keys of assertions not renewed, the current ones stay in use", metadata: ["error": "\(error)"])
    }
  }
}
