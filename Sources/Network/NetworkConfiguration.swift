import Corefile

/// What is set up around the server, and how often it is looked at (`spec/drop-in.md` a.1, a.7).
public struct NetworkConfiguration: Sendable, Equatable {
  /// How queries are kept out of connection tracking.
  public enum Firewall: String, Sendable, CaseIterable {
    /// node-cache's twelve rules per address, by `iptables` and `ip6tables`.
    case iptables
    /// A table of our own, by `nft`.
    case nftables
    case none
    /// `iptables` where it works for every address family in use, else `nftables`.
    case auto
  }

  /// Those of `-localip`, of both families.
  public var addresses: [IPAddress]
  /// The name of the dummy interface, at most 15 bytes.
  public var interface: String
  /// Whether that interface and its addresses are ours to create, keep and remove.
  public var keepsInterface: Bool
  public var firewall: Firewall
  /// Rules let queries to this port pass ...
  public var dnsPort: UInt16
  /// ... and health checks to this one.
  public var healthPort: UInt16
  /// Between two looks at everything; above zero.
  public var interval: Duration

  public init(
    addresses: [IPAddress], interface: String, keepsInterface: Bool, firewall: Firewall, dnsPort: UInt16,
    healthPort: UInt16, interval: Duration
  ) {
    self.addresses = addresses
    self.interface = interface
    self.keepsInterface = keepsInterface
    self.firewall = firewall
    self.dnsPort = dnsPort
    self.healthPort = healthPort
    self.interval = interval
  }
}
