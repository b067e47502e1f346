/// `forward FROM TO... { ... }`: which names are asked of which upstreams, and how.
public struct ForwardDirective: Hashable, Sendable {
  public enum Policy: String, Hashable, Sendable {
    case random
    case roundRobin = "round_robin"
    case sequential
  }

  /// How an upstream that failed is probed until it answers.
  public struct HealthCheck: Hashable, Sendable {
    public var interval = TimeSpan.milliseconds(500)
    public var recursionDesired = true
    /// Its NS records are asked for.
    public var domain = ZoneName.root

    public init() {}
  }

  /// `tls [CERT KEY] [CA]`: files in PEM; those not given fall back to no client certificate and to the system's
  /// authorities.
  public struct TLSFiles: Hashable, Sendable {
    public var location: SourceLocation
    public var certificate: String?
    public var key: String?
    public var authorities: String?

    public init(
      location: SourceLocation, certificate: String? = nil, key: String? = nil, authorities: String? = nil
    ) {
      self.location = location
      self.certificate = certificate
      self.key = key
      self.authorities = authorities
    }
  }

  public var location: SourceLocation
  public var from: ZoneName
  /// 1...15, in the order given.
  public var targets: [ForwardTarget]
  /// Names below `from` that are not forwarded.
  public var except: [ZoneName] = []
  /// TCP whatever the client used; wins over `prefersUDP`. With neither, upstream gets the client's transport.
  public var forcesTCP = false
  /// UDP whatever the client used; a truncated answer is asked for again over TCP.
  public var prefersUDP = false
  /// Idle time after which an upstream connection is closed.
  public var expire = TimeSpan.seconds(10)
  /// An upstream is down when more checks than this failed in a row; 0 never is, and is never checked.
  public var maxFails: UInt32 = 2
  /// Per query; 0 for no bound.
  public var maxConnectAttempts: UInt32 = 0
  public var healthCheck = HealthCheck()
  public var policy = Policy.random
  /// Queries in flight above which more are refused; 0 for no bound.
  public var maxConcurrent = 0
  /// Answers with these codes go on to the next `forward`.
  public var next: [ResponseCode] = []
  /// Answers with these codes are asked of the next target.
  public var failover: [ResponseCode] = []
  /// SERVFAIL where every target is down, instead of a try at random.
  public var failsFastWhenAllDown = false
  /// nil: `tls://` targets are asked with the system's authorities.
  public var tls: TLSFiles?
  /// For every target; nil where targets name their own or none.
  public var tlsServerName: String?

  /// Some target is asked over TLS. Then the others are asked over TCP.
  public var usesTLS: Bool { targets.contains { $0.transport == .tls } }
}

/// One upstream server.
public struct ForwardTarget: Hashable, Sendable, CustomStringConvertible {
  public enum Transport: String, Hashable, Sendable {
    /// UDP and TCP.
    case dns
    case tls
  }

  public var transport: Transport
  public var endpoint: Endpoint
  /// Checked against the certificate (`tls://IP%NAME`).
  public var serverName: String?

  /// `10.0.0.10:53`, `tls://9.9.9.9:853`
  public var description: String { transport == .tls ? "tls://\(endpoint)" : "\(endpoint)" }
}
