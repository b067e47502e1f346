/// What a shard is to do, compiled from a Corefile: plain values, names in wire format, folded.
public struct Settings: Sendable {
  public var listeners: [Listener] = []
  /// Sets of zones; the listeners of one group serve the same ones. One without zones is a number that is free.
  public var groups: [[Int]] = []
  public var zones: [Zone] = []
  public var chains: [Chain] = []
  public var upstreams: [Upstream] = []
  /// Bytes of cache per shard, for answers and for denials.
  public var successBytes = 2 << 20
  public var denialBytes = 2 << 20
  public init() {}

  public struct Listener: Sendable {
    /// A sockaddr_in or sockaddr_in6.
    public var address: [UInt8]
    /// The address is the unspecified one: a reply's source has to be given with it.
    public var isWildcard: Bool
    public var group: Int
    /// `dns://127.0.0.1:53`, the `server` label of metrics.
    public var label: String
    public var timeouts = Timeouts()
    public init(address: [UInt8], isWildcard: Bool, group: Int, label: String) {
      self.address = address
      self.isWildcard = isWildcard
      self.group = group
      self.label = label
    }
  }

  /// Bounds on clients' TCP connections, nanoseconds (spec a.6).
  public struct Timeouts: Sendable, BitwiseCopyable {
    /// For a message begun, or the first one.
    public var read: UInt64 = 3_000_000_000
    public var write: UInt64 = 5_000_000_000
    public var idle: UInt64 = 10_000_000_000
    public init() {}
  }

  public struct Zone: Sendable {
    public var name: [UInt8]
    public var chain: Int
    /// `cluster.local.`, the `zone` label of metrics.
    public var label: String
    /// All that its cached answers depend on beside their names: equal for zones that may have each other's.
    public var content: String
    public init(name: [UInt8], chain: Int, label: String, content: String = "") {
      self.name = name
      self.chain = chain
      self.label = label
      self.content = content
    }
  }

  /// What a server block does to a query.
  public struct Chain: Sendable {
    public var cache: Cache?
    public var forwards: [Forward] = []
    /// Each query is an event for the log.
    public var logsQueries = false
    /// Each message, of clients and of upstreams, is (dnstap).
    public var taps = false
    /// Each failure is an event for the log.
    public var logsErrors = false
    /// Directives that see every query, hits too; nil: none, and hits go the short way.
    public var front: Front?
    /// Directives behind the cache that answer or change questions themselves.
    public var resolver: (any Resolver)?
    /// AAAA questions have answers of their own by the client's address family (dns64).
    public var translates = false
    /// Zones of the block, comma-joined: the `zones` label of cache metrics.
    public var label = ""
    public init() {}
  }

  /// spec/plugins.md, cache. Seconds.
  public struct Cache: Sendable {
    public var zones: [[UInt8]] = []
    public var successMax: UInt32 = 3600
    public var successMin: UInt32 = 5
    public var denialMax: UInt32 = 1800
    public var denialMin: UInt32 = 5
    public var servfail: UInt32 = 5
    public var keepTTL = false
    public var disableSuccess: [[UInt8]] = []
    public var disableDenial: [[UInt8]] = []
    public var prefetch: Prefetch?
    public var serveStale: ServeStale?
    public init() {}
  }

  /// Popular answers are asked for anew before they expire.
  public struct Prefetch: Sendable {
    /// Hits, each within `window` nanoseconds of the one before.
    public var hits: UInt32
    public var window: UInt64
    /// Of the TTL: no more than this is left.
    public var percentage: Int
    public init(hits: UInt32, window: UInt64, percentage: Int) {
      (self.hits, self.window, self.percentage) = (hits, window, percentage)
    }
  }

  /// Expired answers are used.
  public struct ServeStale: Sendable {
    /// Seconds after expiry.
    public var limit: UInt32
    /// Before upstream is asked; otherwise when it fails, or after `wait` nanoseconds, at most 1.8 s (RFC 8767 §5).
    public var isImmediate = true
    public var wait = UInt64.max
    /// Seconds that their records are given.
    public var ttl: UInt32 = 0
    /// Nanoseconds after a failure in which upstream is not asked again; at least a second.
    public var recheck: UInt64 = 0
    /// An answer with records is used although upstream says by now that there is none.
    public var prefersPositive = false
    public init(limit: UInt32) { self.limit = limit }
  }

  /// spec/plugins.md, forward.
  public struct Forward: Sendable {
    public enum Policy: UInt8, Sendable, BitwiseCopyable { case random, roundRobin, sequential }
    public enum Asking: UInt8, Sendable, BitwiseCopyable { case mirrored, tcp, udp }
    public var from: [UInt8] = [0]
    public var except: [[UInt8]] = []
    /// Indices into `Settings.upstreams`, contiguous.
    public var upstreams: Range<Int>
    public var policy = Policy.random
    public var transport = Asking.mirrored
    /// 0: no limit but the engine's own.
    public var maxConcurrent = 0
    /// Nanoseconds an idle connection is kept.
    public var expire: UInt64 = 10_000_000_000
    /// An upstream is down after more failures in a row; 0: none ever is.
    public var maxFails: UInt32 = 2
    public var healthCheck = HealthCheck()
    /// Connects that may fail under one question; 0: two for each upstream.
    public var maxConnectAttempts: UInt32 = 0
    /// Bit per response code: the next upstream is asked, or the next forward.
    public var failover: UInt32 = 0
    public var next: UInt32 = 0
    /// SERVFAIL where all upstreams are down, in place of a try.
    public var failsFast = false
    public init(upstreams: Range<Int>) { self.upstreams = upstreams }
  }

  /// How an upstream that is down is probed: a question for the NS records of `domain`.
  public struct HealthCheck: Sendable {
    /// Nanoseconds.
    public var interval: UInt64 = 500_000_000
    public var recursionDesired = true
    public var domain: [UInt8] = [0]
    public init() {}
  }

  public struct Upstream: Sendable {
    /// A sockaddr_in or sockaddr_in6.
    public var address: [UInt8]
    /// `10.96.0.10:53`, the `to` label of metrics.
    public var label: String
    /// Makes a shard's side of TLS towards it; nil: it is asked in the clear. The forward's transport is TCP then.
    public var tls: (@Sendable () -> any TLSClient)?
    public init(address: [UInt8], label: String) {
      self.address = address
      self.label = label
    }
  }
}
