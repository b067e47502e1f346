import Corefile
import Testing

/// The Corefiles that must boot unchanged.
@Suite struct DeploymentTests {
  private static let environment = Environment(
    variables: ["MY_HOST_IP": "10.1.2.3"],
    files: [
      "/etc/resolv.conf": "nameserver 10.0.0.2\noptions ndots:5\n", "custom/none.txt": "",
    ])

  @Test(arguments: Deployments.all)
  func boots(deployment: Deployment) throws {
    let configuration = try read(deployment.text, environment: DeploymentTests.environment)
    #expect(configuration.blocks.map { $0.zones.map(\.text) } == deployment.zones)
    #expect(configuration.blocks.allSatisfy { $0.forward.count == 1 && $0.cache != nil && !$0.bindAddresses.isEmpty })
    let again = try read(configuration.normalizedText, environment: DeploymentTests.environment)
    #expect(again.normalizedText == configuration.normalizedText)
  }

  @Test func theClusterZoneGetsItsCaps() throws {
    let block = try readBlock(Deployments.upstream.text, environment: DeploymentTests.environment)
    #expect(block.cache?.success.maximumTTL == 30)
    #expect(block.cache?.denial.maximumTTL == 5)
    #expect(block.forward[0].forcesTCP)
    #expect(block.health?.address.description == "169.254.20.10:8080")
  }

  @Test func kubesprayNamesTheHost() throws {
    let block = try readBlock(Deployments.kubespray.text, environment: DeploymentTests.environment)
    #expect(block.prometheus?.address.description == "10.1.2.3:9253")
  }
}
