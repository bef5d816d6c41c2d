// The gateway asks the kernel for nothing that only root may have.

import Glibc
import TestSupport
import Testing

@Suite("Privileges")
struct PrivilegeTests {
  @Test("A gateway that may not administer the network takes clients and reaches its upstream")
  func unprivileged() async throws {
    let upstream = try await TestUpstream.answering("ok")
    // A user other than root has no such right anyway, and cannot run setpriv.
    let launcher = geteuid() == 0 ? ["/usr/bin/setpriv", "--bounding-set=-net_admin"] : []
    let gateway = try await GatewayProcess.start(Configurations.plain(upstream), launcher: launcher)
    let response = try await gateway.get("/")
    #expect(response.status == 200)
    #expect(response.text == "ok")
  }
}
