import Corefile
import Testing

@Suite struct CacheDirectiveTests {
  private func cache(_ lines: String) throws -> CacheDirective { try #require(try readDirectives(lines).cache) }

  @Test func defaults() throws {
    let cache = try cache("cache")
    #expect(cache.zones == [.root])
    #expect(cache.success == CacheDirective.Store(capacity: 9984, maximumTTL: 3600, minimumTTL: 5))
    #expect(cache.denial == CacheDirective.Store(capacity: 9984, maximumTTL: 1800, minimumTTL: 5))
    #expect(cache.prefetch == nil)
    #expect(cache.serveStale == nil)
    #expect(cache.servfail == .seconds(5))
    #expect(!cache.keepsTTL)
  }

  @Test func theTimeIsForBothStores() throws {
    let cache = try cache("cache 30 a. 10.0.0.0/8")
    #expect([cache.success.maximumTTL, cache.denial.maximumTTL] == [30, 30])
    #expect(cache.zones.map(\.text) == ["a.", "10.in-addr.arpa."])
  }

  @Test func stores() throws {
    let cache = try cache("cache 30 {\nsuccess 9984 60 0\ndenial 100 5\n}")
    #expect(cache.success == CacheDirective.Store(capacity: 9984, maximumTTL: 60, minimumTTL: 0))
    #expect(cache.denial == CacheDirective.Store(capacity: 1024, maximumTTL: 5, minimumTTL: 5))
  }

  @Test func prefetch() throws {
    #expect(
      try cache("cache {\nprefetch 10\n}").prefetch
        == CacheDirective.Prefetch(hits: 10, window: .seconds(60), percentage: 10))
    #expect(
      try cache("cache {\nprefetch 1 2m 90%\n}").prefetch
        == CacheDirective.Prefetch(hits: 1, window: .seconds(120), percentage: 90))
    #expect(try cache("cache {\nprefetch 0\n}").prefetch == nil)
  }

  @Test(
    arguments: [
      ("serve_stale", 3600, CacheDirective.ServeStale.Refresh.immediate), ("serve_stale 10m", 600, .immediate),
      ("serve_stale 1h VERIFY", 3600, .verify), ("serve_stale 0s Immediate", 0, .immediate),
    ])
  func serveStale(option: String, seconds: Int32, refresh: CacheDirective.ServeStale.Refresh) throws {
    let stale = try cache("cache {\n\(option)\n}").serveStale
    #expect(stale == CacheDirective.ServeStale(limit: .seconds(seconds), refresh: refresh))
  }

  @Test(
    arguments: [
      ("immediate 30s", 0, 30, 0), ("immediate 0s 5m", 0, 0, 300), ("verify 200ms", 200, 0, 0),
      ("verify 0 30s", 0, 30, 0), ("verify 1s 1m 10s", 1000, 60, 10),
    ])
  func serveStaleOptions(options: String, milliseconds: Int, ttl: Int32, recheck: Int32) throws {
    let stale = try #require(try cache("cache {\nserve_stale 1h \(options)\n}").serveStale)
    #expect(stale.timeout.nanoseconds == milliseconds * 1_000_000)
    #expect(stale.ttl == .seconds(ttl))
    #expect(stale.recheck == .seconds(recheck))
  }

  @Test func serveStalePolicy() throws {
    #expect(try cache("cache {\nserve_stale\nserve_stale_policy prefer_positive\n}").prefersPositive)
    #expect(try !cache("cache {\nserve_stale\n}").prefersPositive)
  }

  @Test func servfailAndKeepTTL() throws {
    let cache = try cache("cache {\nservfail 5m\nkeepttl\n}")
    #expect(cache.servfail == .seconds(300))
    #expect(cache.keepsTTL)
    #expect(try self.cache("cache {\nservfail 0s\n}").servfail == .zero)
  }

  @Test func disable() throws {
    let cache = try cache("cache {\ndisable success cluster.local a\ndisable denial\n}")
    #expect(cache.success.disabledZones.map(\.text) == ["cluster.local.", "a."])
    #expect(cache.denial.disabledZones == [.root])
  }

  @Test(
    arguments: [
      ("cache\ncache", "3", "this plugin can only be used once per Server Block"),
      ("cache 0", "2", "cache TTL can not be zero or negative: 0"),
      ("cache -1", "2", "cache TTL can not be zero or negative: -1"),
      ("cache 30 a..b", "2", "unable to normalize 'a..b'"),
      ("cache {\nfoo\n}", "3", "unknown property 'foo'"),
      (
        "cache {\nsuccess\n}", "3",
        "Wrong argument count or unexpected line ending after 'success', expected: success CAPACITY [TTL] [MINTTL]"
      ),
      ("cache {\nsuccess many\n}", "3", "capacity is not a number: \"many\""),
      ("cache {\ndenial 9984 0\n}", "3", "cache TTL can not be zero or negative: 0"),
      ("cache {\ndenial 9984 5 -1\n}", "3", "cache min TTL can not be negative: -1"),
      ("cache {\nprefetch -1\n}", "3", "prefetch amount must be from 0 to 2147483647: -1"),
      ("cache {\nprefetch 1 1m 95%\n}", "3", "percentage must be from 10 to 90: 95"),
      ("cache {\nprefetch 1 1m 20\n}", "3", "last character of percentage should be `%`: \"20\""),
      ("cache {\nprefetch 1 1\n}", "3", "missing unit in duration \"1\", expected a duration such as 30s or 1h30m"),
      ("cache {\nserve_stale -1h\n}", "3", "\"-1h\" is negative, expected a duration such as 30s or 1h30m"),
      ("cache {\nserve_stale 1h later\n}", "3", "invalid value for serve_stale refresh mode: later"),
      (
        "cache {\nserve_stale 1h immediate 1500ms\n}", "3",
        "serve_stale response TTL must be whole seconds: 1500ms"
      ),
      (
        "cache {\nserve_stale 1h verify 1s 0s 301s\n}", "3",
        "serve_stale failure recheck must not exceed 5 minutes: 301s"
      ),
      ("cache {\nserve_stale 1h immediate 0s 1s 1s\n}", "3", "serve_stale: nothing follows the failure recheck: 1s"),
      (
        "cache {\nserve_stale_policy newest\n}", "3",
        "invalid serve_stale_policy: newest, expected prefer_positive"
      ),
      ("cache {\nservfail 301s\n}", "3", "caching SERVFAIL responses over 5 minutes is not permitted"),
      ("cache {\ndisable all\n}", "3", "cache type for disable must be \"success\" or \"denial\""),
      ("cache {\ndisable success a..b\n}", "3", "unable to normalize 'a..b'"),
      (
        "cache {\nkeepttl yes\n}", "3",
        "Wrong argument count or unexpected line ending after 'yes', expected: keepttl"
      ),
    ])
  func refused(lines: String, line: String, message: String) {
    #expect(directiveRefusal(lines) == "Corefile:\(line) - plugin/cache: \(message)")
  }
}
