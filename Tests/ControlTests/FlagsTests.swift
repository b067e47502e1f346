import Control
import Testing

@Suite struct FlagsTests {
  private func flags(_ words: String...) throws -> Flags {
    guard case .serve(let flags) = try Flags.parse(["-localip", "169.254.20.10"] + words) else { throw NotServing() }
    return flags
  }

  private struct NotServing: Error {}

  private func refusal(_ words: String...) -> Flags.Refusal? {
    do throws(Flags.Refusal) {
      _ = try Flags.parse(words)
      return nil
    } catch {
      return error
    }
  }

  @Test func defaultsAreNodeCaches() throws {
    let flags = try flags()
    #expect(flags.corefile == nil)
    #expect(flags.baseCorefile == "/etc/coredns/Corefile.base")
    #expect(flags.kubeDNSDirectory == nil)
    #expect(flags.upstreamService == "kube-dns")
    #expect(flags.setupInterface && flags.setupIPTables && !flags.skipTeardown)
    #expect(flags.interfaceName == "nodelocaldns")
    #expect(flags.syncInterval == .seconds(60))
    #expect(flags.metricsListenAddress == "0.0.0.0:9353")
    #expect(flags.prometheusListenAddress == ":9253")
    #expect(flags.healthPort == 8080 && flags.dnsPort == 53)
    #expect(!flags.reloadWithSignal && !flags.quiet && flags.pidfile == nil)
    #expect(flags.shards == 0 && flags.cacheBytes == nil)
  }

  @Test func theCanonicalManifestsArgumentsAreRead() throws {
    let request = try Flags.parse([
      "-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile", "-upstreamsvc", "kube-dns-upstream", "-pidfile",
      "/tmp/node-cache.pid",
    ])
    guard case .serve(let flags) = request else { throw NotServing() }
    #expect(flags.localIPs == ["169.254.20.10", "10.96.0.10"])
    #expect(flags.corefile == "/etc/Corefile")
    #expect(flags.upstreamService == "kube-dns-upstream")
    #expect(flags.pidfile == "/tmp/node-cache.pid")
  }

  @Test func oneDashTwoDashesWordAndEqualsSignMeanTheSame() throws {
    for words in [["-dns.port", "54"], ["--dns.port=54"], ["-p=54"], ["--p", "54"]] {
      let request = try Flags.parse(["--localip=::1"] + words)
      guard case .serve(let flags) = request else { throw NotServing() }
      #expect(flags.dnsPort == 54, "\(words)")
    }
  }

  @Test func aBooleanTakesAValueOnlyAfterTheEqualsSign() throws {
    #expect(try flags("-skipteardown").skipTeardown)
    #expect(try flags("-setupiptables=false").setupIPTables == false)
    #expect(try flags("-setupinterface=F").setupInterface == false)
    #expect(try flags("-quiet=1", "-quiet=0").quiet == false)
    #expect(refusal("-localip", "::1", "-skipteardown", "true")?.status == 1)
    #expect(refusal("-localip", "::1", "-skipteardown=yes")?.status == 2)
  }

  @Test func aValueMayLookLikeAFlagAndMayBeEmpty() throws {
    #expect(try flags("-conf", "-x").corefile == "-x")
    #expect(try flags("-conf", "").corefile == nil)
    #expect(try flags("-conf=a=b").corefile == "a=b")
  }

  @Test func theFirstWordThatIsNoFlagEndsThem() {
    #expect(refusal("-localip", "::1", "serve", "-bogus")?.message == "extra command line arguments: [serve -bogus]")
    #expect(refusal("-localip", "::1", "--", "-quiet")?.status == 1)
    #expect(refusal("-localip", "::1", "-")?.status == 1)
  }

  @Test func whatIsNoFlagOrNoValueExitsWith2AndTheUsage() {
    for words in [
      ["-bogus"], ["-bogus", "1"], ["---conf"], ["-=1"], ["-conf"], ["-p", "x"], ["-p", "65536"], ["-p", "-1"],
    ] {
      do throws(Flags.Refusal) {
        _ = try Flags.parse(["-localip", "::1"] + words)
        Issue.record("accepted: \(words)")
      } catch {
        #expect(error.status == 2, "\(words)")
        #expect(error.message.contains("-basecorefile <path>"), "\(words)")
      }
    }
  }

  @Test func localipIsRequiredAndNotTrimmed() {
    #expect(refusal() == refusal("-localip="))
    #expect(refusal()?.message == "invalid localip specified - \"\"")
    #expect(refusal()?.status == 1)
    #expect(refusal("-localip", "10.0.0.1,")?.message == "invalid localip specified - \"\"")
    #expect(refusal("-localip", "10.0.0.1, 10.0.0.2")?.message == "invalid localip specified - \" 10.0.0.2\"")
    #expect(refusal("-localip", "10.0.0.256")?.status == 1)
  }

  @Test func bothAddressFamiliesMayBeMixed() throws {
    guard case .serve(let flags) = try Flags.parse(["-localip=169.254.20.10,fd00::a"]) else { throw NotServing() }
    #expect(flags.localIPs == ["169.254.20.10", "fd00::a"])
  }

  @Test func syncintervalReadsAsPeopleWriteIt() throws {
    #expect(try flags("-syncinterval", "60").syncInterval == .seconds(60))
    #expect(try flags("-syncinterval", "5ns").syncInterval == .seconds(5))
    #expect(try flags("-syncinterval", "10s").syncInterval == .seconds(10))
    #expect(try flags("-syncinterval", "1m30s").syncInterval == .seconds(90))
    #expect(try flags("-syncinterval", "1.5h").syncInterval == .seconds(5400))
    for wrong in ["0", "0ns", "ns", "", "10x", "-5s", "s", "1..5s", "9223372036854775808", "300000h1000000000h"] {
      #expect(refusal("-localip=::1", "-syncinterval=\(wrong)")?.status == 2, "\(wrong)")
    }
  }

  @Test func cacheBytesTakesUnitsOf1024() throws {
    #expect(try flags("-cache-bytes", "1000").cacheBytes == 1000)
    for same in ["67108864", "64M", "64Mi", "64MiB", "65536K"] {
      #expect(try flags("-cache-bytes", same).cacheBytes == 64 << 20, "\(same)")
    }
    for wrong in ["", "M", "0", "-1", "1T", "64mib", "8589934592G", "99999999999999999999"] {
      #expect(refusal("-localip=::1", "-cache-bytes=\(wrong)")?.status == 2, "\(wrong)")
    }
  }

  @Test func corefileCountsWhereConfIsAbsent() throws {
    #expect(try flags("-corefile", "/a").corefile == "/a")
    #expect(try flags("-corefile", "/a", "-conf", "/b").corefile == "/b")
  }

  @Test func aHealthPortThatIsNoNumberExitsWith1() {
    #expect(refusal("-localip=::1", "-health-port=x")?.message == "invalid healthcheck port specified - \"x\"")
    #expect(refusal("-localip=::1", "-health-port=x")?.status == 1)
  }

  @Test func versionPluginsAndHelpNeedNoAddress() throws {
    #expect(try Flags.parse(["-version"]) == .version)
    #expect(try Flags.parse(["--plugins=true"]) == .plugins)
    for word in ["-h", "--help", "-help"] {
      guard case .help(let text) = try Flags.parse([word, "-localip"]) else { throw NotServing() }
      #expect(text.contains("-setupiptables <bool>   Keep the firewall rules. (default: true)"))
      #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }
  }

  @Test func theProcessExitsAsTheRefusalSays() throws {
    let missing = try Probe("flags").finish()
    #expect(missing.status == 1 && missing.output.isEmpty && missing.errors.hasPrefix("invalid localip"))
    let bogus = try Probe("flags", "-bogus").finish()
    #expect(bogus.status == 2 && bogus.output.isEmpty && bogus.errors.contains("USAGE: node-cache"))
    let help = try Probe("flags", "--help").finish()
    #expect(help.status == 0 && help.errors.isEmpty && help.output.contains("USAGE: node-cache"))
  }
}
