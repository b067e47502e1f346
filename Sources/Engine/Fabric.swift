import Cache
import Memory
import Wire

/// What shards share: each other's segments to read, mailboxes, counters and event queues. Made once, before any shard
/// starts, and kept until all have ended.
public final class Fabric: Sendable {
  public let settings: Settings
  public let shards: Int
  public let secret: HashSecret
  private let segments: Region
  let layout: Layout
  private let mail: Region
  private let counts: Region
  private let events: Region

  static let mailCapacity = 256 << 10
  /// Bytes of log that an answer takes, about: one address with a name of the length usual in a cluster.
  public static let entryBytes = 192
  static let eventCapacity = 256 << 10

  /// `random`: three words for the hash secret.
  public init(settings: Settings, shards: Int, random: (UInt64, UInt64, UInt64)) {
    precondition(shards > 0 && shards <= 64)
    self.settings = settings
    self.shards = shards
    secret = HashSecret(random.0, random.1, random.2)
    layout = Layout(
      success: settings.successBytes, denial: settings.denialBytes,
      entries: (settings.successBytes + settings.denialBytes) / Self.entryBytes, zones: max(1, settings.zones.count),
      secret: (random.0, random.1))
    segments = Region(size: layout.size * shards)
    mail = Region(size: ByteQueue.size(capacity: Self.mailCapacity) * shards * shards)
    counts = Region(size: Self.page(Counters.bytes(settings)) * shards)
    events = Region(size: ByteQueue.size(capacity: Self.eventCapacity) * shards)
  }

  /// Rounded up, so that no two shards write to one page.
  private static func page(_ size: Int) -> Int { (size + 4095) & ~4095 }

  func segment(_ shard: Int) -> Bytes { segments.bytes.slice(shard * layout.size, layout.size) }

  /// An empty cache in a shard's memory; once for each shard.
  public func newSegment(_ shard: Int) -> Segment { Segment(layout, memory: segment(shard)) }

  /// The queue that `from` fills and `to` empties.
  func mailbox(from: Int, to: Int) -> ByteQueue {
    let size = ByteQueue.size(capacity: Self.mailCapacity)
    return ByteQueue(mail.bytes.slice((from * shards + to) * size, size))
  }

  public func counters(_ shard: Int) -> Counters {
    let size = Self.page(Counters.bytes(settings))
    return Counters(counts.bytes.slice(shard * size, size), settings)
  }

  /// Events of one shard, for the control thread to empty.
  public func eventQueue(_ shard: Int) -> ByteQueue {
    let size = ByteQueue.size(capacity: Self.eventCapacity)
    return ByteQueue(events.bytes.slice(shard * size, size))
  }

  /// For counting what a shard keeps.
  public func reader(_ shard: Int) -> SegmentReader { SegmentReader(layout, memory: segment(shard)) }
}
