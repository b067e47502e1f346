import Control
import Foundation
import Testing

@Suite struct SignalsTests {
  @Test func eachSignalArrivesAsAValue() throws {
    let probe = try Probe("signals")
    #expect(probe.line() == "ready")
    for (number, name) in [
      (SIGTERM, "terminate"), (SIGINT, "interrupt"), (SIGUSR1, "reload"), (SIGUSR2, "handoff"), (SIGTERM, "terminate"),
    ] {
      kill(probe.process.processIdentifier, number)
      #expect(probe.line() == name)
    }
    kill(probe.process.processIdentifier, SIGQUIT)
    #expect(probe.line() == "quit")
    #expect(probe.finish().status == 0)
  }

  @Test func hangUpAndBrokenPipeAreIgnored() throws {
    let probe = try Probe("signals")
    #expect(probe.line() == "ready")
    kill(probe.process.processIdentifier, SIGHUP)
    kill(probe.process.processIdentifier, SIGPIPE)
    kill(probe.process.processIdentifier, SIGTERM)
    #expect(probe.line() == "terminate")
    kill(probe.process.processIdentifier, SIGQUIT)
    #expect(probe.finish().status == 0)
  }
}
