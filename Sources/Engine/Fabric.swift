import Cache
import Memory
import Wire

/// What the shards of one configuration share: each other's segments to read, mailboxes, counters and event queues. Made
/// once, before any of them starts, and kept until all have ended.
public final class Fabric: Sendable {
  public let settings: Settings
  public let shards: Int
  public let secret: HashSecret
  private let random: (UInt64, UInt64, UInt64)
  private let segments: SharedRegion
  let layout: Layout
  private let mail: Region
  private let counts: Region
  private let events: Region
  public let stages: Stages
  /// How its numbers follow from those of the fabric before it; nil: it is the first.
  let succession: Succession?
  /// The segments hold what the fabric before it cached.
  public let inheritsCache: Bool

  static let mailCapacity = 256 << 10
  /// Bytes of log that an answer takes, about: one address with a name of the length usual in a cluster.
  public static let entryBytes = 192
  static let eventCapacity = 256 << 10
  /// Zones that a cache has counters for, at least: one more zone in the next configuration changes no layout.
  private static let zones = 256

  /// `random`: three words for the hash secret.
  public convenience init(settings: Settings, shards: Int, random: (UInt64, UInt64, UInt64)) {
    self.init(settings, shards, random, after: nil)
  }

  /// For the configuration after `old`, with as many shards, whose cache it takes over if it is to be as large.
  /// `settings` have kept the cache of the old ones (`keepCache`).
  public convenience init(settings: Settings, after old: Fabric) {
    self.init(settings, old.shards, old.random, after: old)
  }

  private init(_ settings: Settings, _ shards: Int, _ random: (UInt64, UInt64, UInt64), after old: Fabric?) {
    precondition(shards > 0 && shards <= 64)
    self.settings = settings
    self.shards = shards
    self.random = random
    secret = HashSecret(random.0, random.1, random.2)
    layout = Layout(
      success: settings.successBytes, denial: settings.denialBytes,
      entries: (settings.successBytes + settings.denialBytes) / Self.entryBytes,
      zones: max(Self.zones, settings.zones.count), secret: (random.0, random.1))
    succession = old.map { Succession(from: $0.settings, to: settings) }
    if let old, old.layout.isSame(as: layout) {
      segments = old.segments
      inheritsCache = true
    } else {
      segments = SharedRegion(size: layout.size * shards)
      inheritsCache = false
    }
    mail = Region(size: ByteQueue.size(capacity: Self.mailCapacity) * shards * (shards + 1))
    counts = Region(size: Self.page(Counters.bytes(settings)) * shards * 2)
    events = Region(size: ByteQueue.size(capacity: Self.eventCapacity) * shards)
    stages = Stages(shards: shards, isFirst: old == nil)
  }

  /// Rounded up, so that no two shards write to one page.
  private static func page(_ size: Int) -> Int { (size + 4095) & ~4095 }

  func segment(_ shard: Int) -> Bytes { segments.region.bytes.slice(shard * layout.size, layout.size) }

  /// A shard's part of the cache, to write to.
  func cache(_ shard: Int) -> Segment {
    let memory = segment(shard)
    return (inheritsCache ? Segment(resuming: layout, memory: memory) : nil) ?? Segment(layout, memory: memory)
  }

  /// The queue that `from` fills and `to` empties. `shards`, one past the last, is the shard before `to` in the fabric
  /// before this one.
  func mailbox(from: Int, to: Int) -> ByteQueue {
    let size = ByteQueue.size(capacity: Self.mailCapacity)
    return ByteQueue(mail.bytes.slice((from * shards + to) * size, size))
  }

  public func counters(_ shard: Int) -> Counters {
    let size = Self.page(Counters.bytes(settings))
    return Counters(
      counts.bytes.slice(shard * size, size), before: counts.bytes.slice((shards + shard) * size, size), settings)
  }

  /// Events of one shard, for the control thread to empty.
  public func eventQueue(_ shard: Int) -> ByteQueue {
    let size = ByteQueue.size(capacity: Self.eventCapacity)
    return ByteQueue(events.bytes.slice(shard * size, size))
  }

  /// For counting what a shard keeps.
  public func reader(_ shard: Int) -> SegmentReader { SegmentReader(layout, memory: segment(shard)) }
}

/// Memory with several owners.
final class SharedRegion: Sendable {
  let region: Region
  init(size: Int) { region = Region(size: size) }
}
