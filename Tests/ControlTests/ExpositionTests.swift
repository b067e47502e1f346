import Control
import Foundation
import Testing

@Suite struct ExpositionTests {
  private func text(_ build: (inout Exposition) -> Void) throws -> String {
    var exposition = Exposition()
    build(&exposition)
    let text = String(decoding: exposition.text(), as: UTF8.self)
    _ = try TextFormat(text)
    return text
  }

  @Test func familiesAndSeriesAreSortedWhateverTheOrderOfTheCalls() throws {
    let text = try text {
      $0.gauge("b", 2, help: "B.")
      $0.counter("a_total", 1, help: "A.", labels: ["y": "2", "x": "1"])
      $0.counter("a_total", 3, help: "A.", labels: ["x": "0", "y": "9"])
    }
    #expect(
      text == """
        # HELP a_total A.
        # TYPE a_total counter
        a_total{x="0",y="9"} 3
        a_total{x="1",y="2"} 1
        # HELP b B.
        # TYPE b gauge
        b 2

        """)
  }

  /// Scrapes whose series come, go and change places: kept from scrape to scrape it writes what a new one does.
  @Test func whatIsKeptFromScrapeToScrapeWritesTheSame() throws {
    var kept = Exposition()
    for scrape in 0..<200 {
      let order = (0..<12).map { $0 * [1, 5, 7, 11][scrape / 7 % 4] % 12 }
      let gone = scrape % 5 == 0 ? scrape % 12 : -1
      func add(to out: inout Exposition) {
        for one in order where one != gone {
          out.counter(
            "c\(one % 3)_total", Double(one + scrape), help: "C.", labels: ["b": "\(one)", "a": "\"\(one % 4)"])
          if one % 4 == 0 { out.histogram("h", Histogram(bounds: [1]), help: "H.", labels: ["to": "\(one)"]) }
        }
      }
      var new = Exposition()
      add(to: &new)
      kept.clear()
      add(to: &kept)
      #expect(String(decoding: kept.text(), as: UTF8.self) == String(decoding: new.text(), as: UTF8.self))
    }
  }

  @Test func equalSeriesOfTwoShardsAddUp() throws {
    var histogram = Histogram(bounds: [1, 2])
    histogram.observe(1)
    let text = try text {
      for _ in 0..<2 {
        $0.counter("c_total", 2, help: "C.", labels: ["zone": "."])
        $0.histogram("h", histogram, help: "H.")
      }
    }
    #expect(text.contains("c_total{zone=\".\"} 4\n"))
    #expect(text.contains("h_bucket{le=\"1\"} 2\n") && text.contains("h_sum 2\nh_count 2\n"))
  }

  @Test func bucketsAreCumulativeAndEndWithInfinity() throws {
    var histogram = Histogram(bounds: [0, 0.5, 10])
    for value in [0, 0.5, 0.25, 10, 11] { histogram.observe(value) }
    let text = try text { $0.histogram("h", histogram, help: "H.", labels: ["to": "1.2.3.4:53"]) }
    #expect(
      text == """
        # HELP h H.
        # TYPE h histogram
        h_bucket{to="1.2.3.4:53",le="0"} 1
        h_bucket{to="1.2.3.4:53",le="0.5"} 3
        h_bucket{to="1.2.3.4:53",le="10"} 4
        h_bucket{to="1.2.3.4:53",le="+Inf"} 5
        h_sum{to="1.2.3.4:53"} 21.75
        h_count{to="1.2.3.4:53"} 5

        """)
  }

  @Test func labelsAndHelpAreEscaped() throws {
    let text = try text { $0.gauge("g", 1, help: "a\\b\n\"c\"", labels: ["l": "a\\b\n\"c\"é"]) }
    #expect(text.hasPrefix("# HELP g a\\\\b\\n\"c\"\n"))
    #expect(text.hasSuffix("g{l=\"a\\\\b\\n\\\"c\\\"é\"} 1\n"))
  }

  /// What Go's strconv.FormatFloat(x, 'g', -1, 64) gives.
  @Test(
    arguments: [
      (0, "0"), (1, "1"), (-1, "-1"), (0.00025, "0.00025"), (0.0001, "0.0001"), (0.00001, "1e-05"), (8.192, "8.192"),
      (64000, "64000"), (100_000, "100000"), (999_999, "999999"), (1_000_000, "1e+06"), (1_234_567, "1.234567e+06"),
      (42_373_120, "4.237312e+07"), (1_795_387_948.13, "1.79538794813e+09"), (0.1 + 0.2, "0.30000000000000004"),
      (123.456, "123.456"), (.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
      (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (0x1p64, "1.8446744073709552e+19"),
    ] as [(Double, String)])
  func numbersAreWrittenAsGoWritesThem(value: Double, written: String) throws {
    #expect(try text { $0.gauge("g", value, help: "G.") }.hasSuffix("\ng \(written)\n"))
  }

  @Test func boundsAreCoreDNSs() throws {
    let text = try text {
      $0.histogram("t", Histogram(bounds: Histogram.timeBounds), help: "T.")
      $0.histogram("z", Histogram(bounds: Histogram.sizeBounds), help: "Z.")
    }
    let bounds = text.matches(of: /t_bucket{le="([^"]+)"}/).map { String($0.1) }
    #expect(
      bounds == [
        "0.00025", "0.0005", "0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512",
        "1.024", "2.048", "4.096", "8.192", "+Inf",
      ])
    #expect(text.contains("z_bucket{le=\"8291\"} 0\n"))
  }

  @Test func theProcessDescribesItself() throws {
    let metrics = try TextFormat(try text { ProcessMetrics.add(to: &$0) })
    #expect(metrics.samples.count == 6)
    #expect(metrics.samples["process_resident_memory_bytes"]! > 1e6)
    #expect(metrics.samples["process_virtual_memory_bytes"]! > metrics.samples["process_resident_memory_bytes"]!)
    #expect((3...10_000).contains(metrics.samples["process_open_fds"]!))
    #expect(metrics.samples["process_max_fds"]! >= metrics.samples["process_open_fds"]!)
    let age = Date().timeIntervalSince1970 - metrics.samples["process_start_time_seconds"]!
    #expect((-2...3600).contains(age))
  }

  @Test func allFiveSetupErrorsExistFromTheStart() throws {
    let errors = SetupErrors()
    errors.count(.iptablesLock)
    let metrics = try TextFormat(try text { errors.add(to: &$0) })
    let series = ["configmap", "interface_add", "interface_check", "iptables", "iptables_lock"]
    for (type, count) in zip(series, [0, 0, 0, 0, 1]) {
      #expect(metrics.samples["coredns_nodecache_setup_errors_total{errortype=\"\(type)\"}"] == Double(count))
    }
    #expect(metrics.samples.count == 5)
  }

  /// Debian's package prometheus has promtool; without it only the reader above judges.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")))
  func promtoolFindsNothingToSay() throws {
    let text = try text {
      ProcessMetrics.add(to: &$0)
      SetupErrors().add(to: &$0)
      BuildInfo(version: "1.13.2", revision: "", compiler: "swift6.3.1").add(to: &$0)
      $0.histogram(
        "coredns_dns_request_duration_seconds", Histogram(bounds: Histogram.timeBounds), help: "H.",
        labels: ["server": "dns://[::1]:53", "view": "", "zone": "."])
    }
    let promtool = Process()
    let (input, output) = (Pipe(), Pipe())
    promtool.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
    promtool.arguments = ["check", "metrics"]
    (promtool.standardInput, promtool.standardOutput, promtool.standardError) = (input, output, output)
    try promtool.run()
    try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    try input.fileHandleForWriting.close()
    #expect(String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) == "")
    promtool.waitUntilExit()
    #expect(promtool.terminationStatus == 0)
  }
}
