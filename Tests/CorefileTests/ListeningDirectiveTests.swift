import Corefile
import Testing

/// `bind`, `errors`, `health`, `log`, `loop`, `prometheus`, `reload`, `whoami`.
@Suite struct ListeningDirectiveTests {
  @Test func bind() throws {
    let block = try readDirectives("bind 169.254.20.10 fe80::1%eth0 lo {\nexcept ::1\n}\nbind eth0")
    #expect(block.bind.map { $0.addresses.map(\.description) } == [["169.254.20.10", "fe80::1%eth0", "lo"], ["eth0"]])
    #expect(block.bind[0].except.map(\.description) == ["::1"])
    #expect(block.bind.map(\.location.line) == [2, 5])
  }

  @Test func errors() throws {
    #expect(try readDirectives("errors").errors?.consolidations == [])
    let errors = try #require(
      try readDirectives(
        "errors stdout {\nstacktrace\nconsolidate 5m \".* i/o timeout$\" warning\nconsolidate 30s ^x\n}"
      ).errors)
    #expect(errors.logsStackTraces)
    #expect(errors.consolidations.map(\.pattern) == [".* i/o timeout$", "^x"])
    #expect(errors.consolidations.map(\.level) == [.warning, .error])
    #expect(errors.consolidations.map(\.window) == [.seconds(300), .seconds(30)])
  }

  @Test func health() throws {
    let plain = try #require(try readDirectives("health").health)
    #expect(plain.address.description == ":8080")
    #expect(plain.lameduck == .zero)
    let twice = try #require(try readDirectives("health 10.0.0.1:8081\nhealth {\nlameduck 5s\n}").health)
    #expect(twice.address.description == "10.0.0.1:8081")
    #expect(twice.lameduck == .seconds(5))
  }

  @Test(
    arguments: [
      ("log", ["."], LogFormat.common), ("log a. B", ["a.", "b."], .common), ("log {type}", ["{type}."], .common),
      ("log . {common}", ["."], .common), ("log . {combined}", ["."], .combined),
      ("log . \"{type} {nothing} {>id}\"", ["."], LogFormat("{type} {nothing} {>id}")),
    ])
  func log(text: String, names: [String], format: LogFormat) throws {
    let log = try readDirectives(text).log
    #expect(log.map { $0.names.map(\.text) } == [names])
    #expect(log[0].format == format)
    #expect(log[0].classes == [.all])
  }

  @Test func logClassesAndOrder() throws {
    let log = try readDirectives("log a {\nclass denial error\nclass success\n}\nlog").log
    #expect(log.map(\.classes) == [[.denial, .error, .success], [.all]])
  }

  @Test func logFormatsAreTextAndFields() {
    #expect(
      LogFormat("a {type} {x}{>rflags}{/k8s/pod}{{name}").pieces == [
        .text("a "), .field(.type), .text(" {x}"), .field(.responseFlags), .metadata("k8s/pod"), .text("{"),
        .field(.name),
      ])
    #expect(LogFormat.combined.pieces.suffix(3) == [.text(" \""), .field(.opcode), .text("\"")])
    #expect(LogFormat("").pieces == [])
  }

  @Test func prometheus() throws {
    #expect(try readDirectives("prometheus").prometheus?.address.description == "localhost:9153")
    let environment = Environment(variables: ["MY_HOST_IP": "10.1.2.3"])
    let address = try readDirectives("prometheus {$MY_HOST_IP}:9253", environment: environment).prometheus?.address
    #expect(address?.description == "10.1.2.3:9253")
    #expect(try readDirectives("prometheus {$MY_HOST_IP}:9253").prometheus?.address.description == ":9253")
  }

  @Test(
    arguments: [
      ("reload", 30_000, 15_000), ("reload 10s", 10_000, 5000), ("reload 2s 1s", 2000, 1000),
      ("reload 1h 90s", 3_600_000, 90_000),
    ])
  func reload(text: String, interval: Int64, jitter: Int64) throws {
    let reload = try #require(try readDirectives(text).reload)
    #expect(reload.interval.milliseconds == interval)
    #expect(reload.jitter.milliseconds == jitter)
  }

  @Test func marks() throws {
    let block = try readDirectives("loop\nwhoami")
    #expect(block.loop?.line == 2)
    #expect(block.whoami?.line == 3)
  }

  /// Lines of a block that starts on line 1, and what they are refused with.
  @Test(
    arguments: [
      ("bind", "2 - plugin/bind: at least one address or interface name is expected"),
      ("bind 300.1.1.1", "2 - plugin/bind: not a valid IP address or interface name: \"300.1.1.1\""),
      (
        "bind lo {\nexcept\n}",
        "3 - plugin/bind: at least one address or interface must be given to except subdirective"
      ),
      ("bind lo {\nonly lo\n}", "3 - plugin/bind: invalid option \"only\""),
      ("bind " + String(repeating: "lo ", count: 65), "1 - more than 64 bind addresses"),
      (
        "errors a b",
        "2 - plugin/errors: Wrong argument count or unexpected line ending after 'b', expected: errors [stdout]"
      ),
      ("errors file", "2 - plugin/errors: invalid log file: file"),
      ("errors\nerrors", "3 - plugin/errors: this plugin can only be used once per Server Block"),
      ("errors {\nfoo\n}", "3 - plugin/errors: Unknown field foo"),
      (
        "errors {\nconsolidate 5m\n}",
        "3 - plugin/errors: Wrong argument count or unexpected line ending after '5m', expected: consolidate DURATION REGEXP [LEVEL]"
      ),
      (
        "errors {\nconsolidate 5 x\n}",
        "3 - plugin/errors: missing unit in duration \"5\", expected a duration such as 30s or 1h30m"
      ),
      (
        "errors {\nconsolidate 5m x loud\n}",
        "3 - plugin/errors: unknown log level argument in consolidate: loud, expected warning, error, info or debug"
      ),
      ("health 8080", "2 - plugin/health: not an address and port: \"8080\", expected [HOST]:PORT"),
      (
        "health {\nlameduck x\n}", "3 - plugin/health: invalid duration \"x\", expected a duration such as 30s or 1h30m"
      ),
      ("health {\nfoo\n}", "3 - plugin/health: unknown property 'foo'"),
      ("log {\nclass most\n}", "3 - plugin/log: invalid Class: most, expected all, success, denial or error"),
      ("log a..b", "2 - plugin/log: not a valid domain name: \"a..b\""),
      ("log {\nformat x\n}", "3 - plugin/log: unknown property 'format'"),
      ("loop 1", "2 - plugin/loop: Wrong argument count or unexpected line ending after '1', expected: loop"),
      ("loop\nloop", "3 - plugin/loop: this plugin can only be used once per Server Block"),
      ("whoami {\n}", "2 - plugin/whoami: unexpected '{', 'whoami' takes no options"),
      ("prometheus 10.0.0.1", "2 - plugin/prometheus: not an address and port: \"10.0.0.1\", expected [HOST]:PORT"),
      ("prometheus {\nfoo\n}", "3 - plugin/prometheus: unknown option: foo"),
      ("reload 1s", "2 - plugin/reload: interval value must be greater or equal to 2s"),
      ("reload 30", "2 - plugin/reload: missing unit in duration \"30\", expected a duration such as 30s or 1h30m"),
      ("reload 30s 0s", "2 - plugin/reload: jitter value must be greater or equal to 1s"),
      (
        "reload 30s 5s 1s",
        "2 - plugin/reload: Wrong argument count or unexpected line ending after '1s', expected: reload [INTERVAL [JITTER]]"
      ),
    ])
  func refused(lines: String, message: String) {
    #expect(directiveRefusal(lines) == "Corefile:\(message)")
  }
}
