import Corefile
import Testing

/// Variables and files of the machine the tests run on.
@Suite struct ProcessEnvironmentTests {
  @Test func variables() {
    #expect(Environment.process.variable("PATH") != nil)
    #expect(Environment.process.variable("RINGLET_NO_SUCH_VARIABLE") == nil)
  }

  @Test func files() {
    #expect(Environment.process.contents("/etc/passwd")?.isEmpty == false)
    #expect(Environment.process.contents("/etc") == nil)
    #expect(Environment.process.contents("/dev/zero") == nil)
    #expect(Environment.process.contents("/no/such/file") == nil)
  }

  @Test func patterns() {
    #expect(Environment.process.matches("/etc/passw*").contains("/etc/passwd"))
    #expect(Environment.process.matches("/no/such/*") == [])
  }
}
