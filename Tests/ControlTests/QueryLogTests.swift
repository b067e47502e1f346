import Control
import Corefile
import Testing

@Suite struct QueryLogTests {
  /// The query of the line in `spec/plugins.md`, 'Log format', which node-cache wrote.
  private var measured: QueryLog.Fields {
    var fields = QueryLog.Fields()
    fields.remote = "127.0.0.1"
    fields.local = "127.0.0.2"
    fields.port = 52935
    fields.id = 4660
    fields.type = "A"
    fields.class = "IN"
    fields.name = "a.default.svc.cluster.local."
    fields.proto = "udp"
    fields.size = 45
    fields.rcode = "NOERROR"
    fields.responseFlags = 0x8500
    fields.responseSize = 88
    fields.nanoseconds = 2_891_350
    return fields
  }

  @Test func theCommonFormatIsNodeCaches() {
    #expect(
      QueryLog(.common).line(measured)
        == "[INFO] 127.0.0.1:52935 - 4660 \"A IN a.default.svc.cluster.local. udp 45 false 512\" NOERROR qr,aa,rd 88 0.00289135s"
    )
  }

  @Test func theCombinedFormatHasTheOpcode() {
    #expect(QueryLog(LogFormat("{combined}")).line(measured) == QueryLog(.common).line(measured) + " \"0\"")
    #expect(QueryLog(.combined).line(measured) == QueryLog(.common).line(measured) + " \"0\"")
  }

  @Test func anIPv6AddressIsInBrackets() {
    var fields = measured
    fields.remote = "fd00::1"
    fields.local = "::1"
    #expect(QueryLog(LogFormat("{remote}:{port} {local}")).line(fields) == "[INFO] [fd00::1]:52935 [::1]")
  }

  @Test func whatIsNotKnownIsADash() {
    let format = "{rcode} {>rflags} {rsize} {duration} {remote} {name} {/forward/upstream}"
    #expect(QueryLog(LogFormat(format)).line(.init()) == "[INFO] - - - - - - -")
  }

  @Test func allFlagsAreWrittenInCoreDNSsOrder() {
    var fields = measured
    fields.responseFlags = 0x87F3
    #expect(QueryLog(LogFormat("{>rflags}")).line(fields) == "[INFO] qr,aa,tc,rd,ra,z,ad,cd")
    fields.responseFlags = 0
    #expect(QueryLog(LogFormat("{>rflags}")).line(fields) == "[INFO] -")
  }

  @Test func bracesThatAreNoPlaceholderStay() {
    #expect(QueryLog(LogFormat("A } { {type} } {X} {")).line(measured) == "[INFO] A } { A } {X} {")
    #expect(QueryLog(LogFormat("")).line(measured) == "[INFO] ")
    #expect(QueryLog(LogFormat("{{type}}")).line(measured) == "[INFO] {A}")
  }

  @Test func aNameWithBracesIsNotExpandedAgain() {
    var fields = measured
    fields.name = "{type}."
    #expect(QueryLog(LogFormat("{name}")).line(fields) == "[INFO] {type}.")
  }

  @Test(
    arguments: [
      (0, "0s"), (1, "0.000000001s"), (1000, "0.000001s"), (1_000_000_000, "1s"), (5_000_123_000, "5.000123s"),
      (1_234_567_891_234, "1234.567891234s"),
    ] as [(UInt64, String)])
  func durationsArePlainDecimals(nanoseconds: UInt64, text: String) {
    var fields = measured
    fields.nanoseconds = nanoseconds
    #expect(QueryLog(LogFormat("{duration}")).line(fields) == "[INFO] \(text)")
  }
}
