import Cache
import Memory
import Wire

/// What the shards of one configuration share: each other's segments to read, mailboxes, counters and event queues. Made
/// once, before any of them starts, and kept until all have ended.
public final class Fabric: Sendable {
  public let settings: Settings
  public let shards: Int
  public let secret: HashSecret
  let random: (UInt64, UInt64, UInt64)
  public let segments: SharedRegion
  let layout: Layout
  private let mail: Region
  private let counts: Region
  private let events: Region
  private let refreshes = Region(size: Freshness.size)
  public let stages: Stages
  /// How its numbers follow from those of the fabric before it; nil: it is the first.
  let succession: Succession?
  /// The segments hold what the fabric before it cached.
  public let inheritsCache: Bool
  /// Of the numbers of zones in the segments: what the fabric before left, and what this one makes of it.
  let inherited: UInt64
  let epoch: UInt64

  static let mailCapacity = 256 << 10
  /// Bytes of log that an answer takes, about: one address with a name of the length usual in a cluster.
  public static let entryBytes = 192
  /// Bytes of a shard's events; messages of DNS, for those who tap them, take more than names.
  private let eventCapacity: Int
  /// Zones that a cache has counters for, at least: one more zone in the next configuration changes no layout.
  private static let zones = 256

  /// `random`: three words for the hash secret.
  public convenience init(settings: Settings, shards: Int, random: (UInt64, UInt64, UInt64)) {
    self.init(settings, shards, random, after: nil)
  }

  /// For the configuration after `old`, with as many shards, whose cache it takes over if it is to be as large.
  /// `settings` have kept the cache of the old ones (`keepCache`).
  public convenience init(settings: Settings, after old: Fabric) {
    self.init(
      settings, old.shards, old.random,
      after: Predecessor(settings: old.settings, segments: old.segments, epoch: old.epoch))
  }

  /// The same, after a fabric of another process.
  public convenience init(settings: Settings, after heritage: Heritage, segments: SharedRegion) {
    self.init(
      settings, heritage.shards, heritage.random,
      after: Predecessor(settings: heritage.settings, segments: segments, epoch: heritage.epoch))
  }

  /// Bytes of memory that the caches of such a fabric take.
  public static func cacheSize(of heritage: Heritage) -> Int {
    page(layout(heritage.settings, heritage.random).size) * heritage.shards
  }

  private struct Predecessor {
    let settings: Settings
    let segments: SharedRegion
    let epoch: UInt64
  }

  private init(_ settings: Settings, _ shards: Int, _ random: (UInt64, UInt64, UInt64), after old: Predecessor?) {
    precondition(shards > 0 && shards <= 64)
    self.settings = settings
    self.shards = shards
    self.random = random
    secret = HashSecret(random.0, random.1, random.2)
    layout = Self.layout(settings, random)
    let size = Self.page(layout.size) * shards
    if let old {
      let succession = Succession(from: old.settings, to: settings)
      self.succession = succession
      inherited = old.epoch
      epoch = succession.isUnchanged ? old.epoch : old.epoch &+ 1
      inheritsCache = Self.layout(old.settings, random).isSame(as: layout) && old.segments.bytes.count >= size
    } else {
      succession = nil
      (inherited, epoch) = (0, 0)
      inheritsCache = false
    }
    segments = inheritsCache ? old!.segments : SharedRegion(size: size)
    mail = Region(size: ByteQueue.size(capacity: Self.mailCapacity) * shards * (shards + 1))
    counts = Region(size: Self.page(Counters.bytes(settings)) * shards * 2)
    eventCapacity = settings.chains.contains(where: \.taps) ? 1 << 20 : 256 << 10
    events = Region(size: ByteQueue.size(capacity: eventCapacity) * shards)
    stages = Stages(shards: shards, isFirst: old == nil)
  }

  private static func layout(_ settings: Settings, _ random: (UInt64, UInt64, UInt64)) -> Layout {
    Layout(
      success: settings.successBytes, denial: settings.denialBytes,
      entries: (settings.successBytes + settings.denialBytes) / entryBytes,
      zones: max(zones, settings.zones.count), secret: (random.0, random.1))
  }

  /// Rounded up, so that no two shards write to one page.
  private static func page(_ size: Int) -> Int { (size + 4095) & ~4095 }

  func segment(_ shard: Int) -> Bytes { segments.bytes.slice(shard * Self.page(layout.size), layout.size) }

  /// A shard's part of the cache, to write to; with what the fabric before cached there, if it is kept.
  public func cache(_ shard: Int) -> Segment {
    if inheritsCache, let segment = Segment(resuming: layout, memory: segment(shard)) { return segment }
    var segment = Segment(layout, memory: segment(shard))
    segment.set(epoch: epoch)
    return segment
  }

  /// Forgets what is in a shard's part of the cache.
  func clearCache(_ shard: Int) {
    let size = Self.page(layout.size)
    segments.clear(shard * size, size)
  }

  /// The queue that `from` fills and `to` empties. `shards`, one past the last, is the shard before `to` in the fabric
  /// before this one.
  func mailbox(from: Int, to: Int) -> ByteQueue {
    let size = ByteQueue.size(capacity: Self.mailCapacity)
    return ByteQueue(mail.bytes.slice((from * shards + to) * size, size))
  }

  /// Bytes of letters that a shard has not read.
  public func mailDepth(_ shard: Int) -> Int { (0...shards).reduce(0) { $0 + mailbox(from: $1, to: shard).waiting } }

  public func counters(_ shard: Int) -> Counters {
    let size = Self.page(Counters.bytes(settings))
    return Counters(
      counts.bytes.slice(shard * size, size), before: counts.bytes.slice((shards + shard) * size, size), settings)
  }

  var freshness: Freshness { Freshness(refreshes.bytes) }

  /// Events of one shard, for the control thread to empty.
  public func eventQueue(_ shard: Int) -> ByteQueue {
    let size = ByteQueue.size(capacity: eventCapacity)
    return ByteQueue(events.bytes.slice(shard * size, size))
  }

  /// For counting what a shard keeps.
  public func reader(_ shard: Int) -> SegmentReader { SegmentReader(layout, memory: segment(shard)) }
}
