import Engine
import Testing

/// Who is limited, how soon, and for how long.
struct ThrottleTests {
  private static let millisecond: UInt64 = 1_000_000
  private static let client: [UInt8] = [10, 0, 0, 1]

  @Test func aLimitHasTimeToShow() {
    var throttle = Throttle()
    #expect(throttle.isSettled(1000 * Self.millisecond) && !throttle.limits(Self.client))
    throttle.limit(Self.client, at: 1000 * Self.millisecond)
    #expect(!throttle.isSettled(1009 * Self.millisecond) && throttle.isSettled(1010 * Self.millisecond))
    #expect(throttle.limits(Self.client) && !throttle.limits([10, 0, 0, 2]))
  }

  /// Half each time, and never nothing; an eighth more every 50 ms until all of it comes through.
  @Test func halvesAndRises() {
    var throttle = Throttle()
    var now = 1000 * Self.millisecond
    for halvings in 1...20 {
      throttle.limit(Self.client, at: now)
      #expect(throttle.limits == [ClientLimit(host: Self.client, passing: UInt32(1 << max(22, 32 - halvings)))])
      now += 10 * Self.millisecond
    }
    let begin = now
    while !throttle.isEmpty, now < begin + 10_000 * Self.millisecond {
      let before = throttle.limits[0].passing
      let hasChanged = throttle.relax(now)
      if hasChanged, let after = throttle.limits.first { #expect(after.passing == before + before / 8) }
      now += Self.millisecond
    }
    // 59 steps from a 1,024th.
    #expect(now - begin < 3100 * Self.millisecond)
    #expect(throttle.isEmpty)
  }

  /// There is room for eight: one more takes the place of the one that is limited least.
  @Test func theEightWorstAreKept() {
    var throttle = Throttle()
    for host in UInt8(0)..<8 {
      throttle.limit([10, 0, 0, host], at: 0)
      if host != 5 { throttle.limit([10, 0, 0, host], at: 0) }
    }
    throttle.limit([10, 0, 0, 9], at: 0)
    #expect(throttle.limits.map { $0.host[3] } == [0, 1, 2, 3, 4, 6, 7, 9])
    #expect(throttle.limits.last?.passing == 1 << 31)
  }

  /// The next shard goes on where the one before it was.
  @Test func limitsAreInherited() {
    var throttle = Throttle()
    let limit = ClientLimit(host: Self.client, passing: 12345)
    throttle.inherit(limit, at: 0)
    throttle.inherit(limit, at: 0)
    #expect(throttle.limits == [limit])
    throttle.limit(Self.client, at: 0)
    #expect(throttle.limits == [ClientLimit(host: Self.client, passing: 1 << 22)])
  }
}
