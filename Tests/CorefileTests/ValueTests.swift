import Corefile
import Testing

/// Durations, addresses and networks.
@Suite struct ValueTests {
  @Test(
    arguments: [
      ("0", 0), ("30s", 30_000_000_000), ("1h30m", 5_400_000_000_000), ("300ms", 300_000_000),
      ("1.5h", 5_400_000_000_000),
      (".5s", 500_000_000), ("1.s", 1_000_000_000), ("+1us", 1000), ("1\u{B5}s", 1000), ("1\u{3BC}s", 1000),
      ("1.0000000000000000000001ns", 1), ("9223372036854775807ns", Int64.max),
      ("0.3333333333333333333h", 1_199_999_999_999),
    ])
  func durations(text: String, nanoseconds: Int64) throws {
    #expect(try TimeSpan(text).nanoseconds == nanoseconds)
  }

  @Test(
    arguments: [
      ("", "invalid duration \"\""), ("+", "invalid duration \"+\""), ("30", "missing unit in duration \"30\""),
      ("1h30", "missing unit in duration \"1h30\""), ("1d", "unknown unit \"d\" in duration \"1d\""),
      ("s", "invalid duration \"s\""), (".s", "invalid duration \".s\""), ("-1s", "\"-1s\" is negative"),
      ("1 s", "unknown unit \" s\" in duration \"1 s\""),
      ("9223372036854775808ns", "duration \"9223372036854775808ns\" is too long"),
      ("2562048h", "duration \"2562048h\" is too long"),
      ("2562047h1h", "duration \"2562047h1h\" is too long"),
    ])
  func brokenDurations(text: String, reason: String) {
    #expect(throws: TimeSpan.Malformed.self) { try TimeSpan(text) }
    do { _ = try TimeSpan(text) } catch { #expect(error.description == reason) }
  }

  @Test func durationsPrintTheirLargestUnit() {
    #expect(TimeSpan.seconds(90).description == "90s")
    #expect(TimeSpan.seconds(7200).description == "2h")
    #expect(TimeSpan.milliseconds(1500).description == "1500ms")
    #expect(TimeSpan.milliseconds(1500).milliseconds == 1500)
  }

  /// Each address and its canonical form.
  @Test(
    arguments: [
      ("169.254.20.10", "169.254.20.10"), ("::", "::"), ("::1", "::1"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
      ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"), ("1::", "1::"),
      ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"), ("::ffff:10.0.0.1", "::ffff:10.0.0.1"), ("fe80::1%eth0", "fe80::1%eth0"),
      ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ])
  func addresses(text: String, canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
  }

  @Test(
    arguments: [
      "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.+4", "1.2.3.4%eth0", ":", ":::", "1::2::3", "12345::",
      "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1%", "g::", "::+1", "1.2.3.4::", "::1.2.3", ":1::",
      "1::2:", "localhost",
    ])
  func brokenAddresses(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test(
    arguments: [
      (":9253", ":9253"), ("10.0.0.1:8080", "10.0.0.1:8080"), ("[::1]:80", "[::1]:80"),
      ("localhost:9153", "localhost:9153"),
      ("::1:80", nil), ("10.0.0.1", nil), ("a:http", nil), (":65536", nil), ("[::1]", nil), ("[::1:80", nil),
    ])
  func listenAddresses(text: String, printed: String?) {
    #expect(ListenAddress(text)?.description == printed)
  }

  @Test func networksKeepTheirPrefixOnly() {
    #expect(IPNetwork("10.1.2.3/9")?.description == "10.0.0.0/9")
    #expect(IPNetwork("64:ff9b::1/96")?.description == "64:ff9b::/96")
    for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "::/129", "fe80::%eth0/64", "10.0.0.0/-1"] {
      #expect(IPNetwork(text) == nil)
    }
  }
}
