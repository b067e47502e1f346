/// `cache [TTL] [ZONES...] { ... }`: what is kept, how much of it and how long.
public struct CacheDirective: Hashable, Sendable {
  /// Bounds of one of the two stores.
  public struct Store: Hashable, Sendable {
    /// Answers at most: what was asked for, rounded down to CoreDNS's 256 shards and never below 1024.
    public var capacity: Int
    /// Seconds an answer is kept at most, and at least whatever its own TTL.
    public var maximumTTL: UInt32
    public var minimumTTL: UInt32
    /// Zones whose answers are not stored here.
    public var disabledZones: [ZoneName] = []

    public init(capacity: Int, maximumTTL: UInt32, minimumTTL: UInt32) {
      self.capacity = capacity
      self.maximumTTL = maximumTTL
      self.minimumTTL = minimumTTL
    }
  }

  /// Refresh of popular answers shortly before they expire.
  public struct Prefetch: Hashable, Sendable {
    /// Hits with no gap longer than `window`, at least 1.
    public var hits: Int
    public var window: TimeSpan
    /// Of the original TTL, 10...90: a refresh starts when no more than this remains.
    public var percentage: Int

    public init(hits: Int, window: TimeSpan, percentage: Int) {
      self.hits = hits
      self.window = window
      self.percentage = percentage
    }
  }

  /// Use of expired answers.
  public struct ServeStale: Hashable, Sendable {
    public enum Refresh: Hashable, Sendable {
      /// Answer, then ask upstream.
      case immediate
      /// Ask upstream, use the expired answer if that fails.
      case verify
    }
    /// Past expiry.
    public var limit: TimeSpan
    public var refresh: Refresh
    /// How long `verify` waits; zero for as long as upstream may take.
    public var timeout = TimeSpan.zero
    /// What expired answers carry, whole seconds.
    public var ttl = TimeSpan.zero
    /// How long after a failed refresh there is no other; at most 5 minutes (RFC 8767 section 5).
    public var recheck = TimeSpan.zero

    public init(limit: TimeSpan, refresh: Refresh) {
      self.limit = limit
      self.refresh = refresh
    }
  }

  public var location: SourceLocation
  /// Those given, or the block's.
  public var zones: [ZoneName]
  public var success = Store(capacity: 9984, maximumTTL: 3600, minimumTTL: 5)
  /// NXDOMAIN, NODATA and failures.
  public var denial = Store(capacity: 9984, maximumTTL: 1800, minimumTTL: 5)
  public var prefetch: Prefetch?
  public var serveStale: ServeStale?
  /// `serve_stale_policy prefer_positive`: a denial leaves a usable answer where it is.
  public var prefersPositive = false
  /// How long SERVFAIL and the like are kept; zero for not at all. At most 5 minutes (RFC 2308 section 7.1).
  public var servfail = TimeSpan.seconds(5)
  /// Answers show the TTL they were stored with.
  public var keepsTTL = false
}
