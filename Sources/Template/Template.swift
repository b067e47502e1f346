import Corefile

/// A Corefile with node-cache's placeholders (`spec/drop-in.md` a.3).
public struct Template: Sendable {
  /// What the placeholders stand for, as far as flags and environment say it.
  public struct Values: Sendable {
    /// `__PILLAR__LOCAL__DNS__`, and where stub domains are served.
    public var localIPs: [String]
    /// `__PILLAR__CLUSTER__DNS__`
    public var clusterDNS: ClusterDNS
    /// `__PROMETHEUS__ENDPOINT__`
    public var prometheusEndpoint: String
    /// Of stub domains.
    public var port: UInt16

    public init(localIPs: [String], clusterDNS: ClusterDNS, prometheusEndpoint: String, port: UInt16) {
      self.localIPs = localIPs
      self.clusterDNS = clusterDNS
      self.prometheusEndpoint = prometheusEndpoint
      self.port = port
    }
  }

  /// A Corefile, and what to tell about how it came about.
  public struct Rendering: Equatable, Sendable {
    public var text: String
    /// As `forward` got them: addresses, or /etc/resolv.conf.
    public var upstreams: String
    /// There are `upstreamNameservers`, and no `forward` of the template's that they could turn from TCP to UDP.
    public var lacksTCPBlock: Bool
  }

  private static let upstreamServers = "__PILLAR__UPSTREAM__SERVERS__"
  private static let clusterDNS = "__PILLAR__CLUSTER__DNS__"

  private let text: String

  public init(_ text: String) { self.text = text }

  /// Throws where the template has `__PILLAR__CLUSTER__DNS__` and nobody knows that address.
  public func render(_ values: Values, _ config: KubeDNSConfig) throws(ClusterDNS.Unknown) -> Rendering {
    var text = text
    var lacksTCPBlock = false
    if !config.upstreamNameservers.isEmpty {
      let bodies = Corefile.bodies(in: text, of: ["forward", ".", Self.upstreamServers], holding: "force_tcp")
      // From the end, for ranges before a change stay true.
      for body in bodies.reversed() { text.removeSubrange(body) }
      lacksTCPBlock = bodies.isEmpty
    }
    let upstreams =
      config.upstreamNameservers.isEmpty ? "/etc/resolv.conf" : config.upstreamNameservers.joined(separator: " ")
    text.replace(Self.upstreamServers, with: upstreams)
    if text.contains(Self.clusterDNS) { Self.replace(Self.clusterDNS, [try values.clusterDNS.address()], in: &text) }
    Self.replace("__PILLAR__LOCAL__DNS__", values.localIPs, in: &text)
    text.replace("__PILLAR__DNS__SERVER__", with: "")
    text.replace("__PROMETHEUS__ENDPOINT__", with: values.prometheusEndpoint)
    text += Self.blocks(config.stubDomains, values)
    return Rendering(text: text, upstreams: upstreams, lacksTCPBlock: lacksTCPBlock)
  }

  /// Before a port, as in `health __PILLAR__LOCAL__DNS__:8080`, an IPv6 address needs brackets.
  private static func replace(_ token: String, _ addresses: [String], in text: inout String) {
    let bracketed = addresses.map { $0.contains(":") ? "[\($0)]" : $0 }
    text.replace("\(token):", with: bracketed.joined(separator: " ") + ":")
    text.replace(token, with: addresses.joined(separator: " "))
  }

  private static func blocks(_ stubDomains: [String: [String]], _ values: Values) -> String {
    var text = ""
    for (domain, servers) in stubDomains.sorted(by: { $0.key < $1.key }) {
      text += """

        \(domain):\(values.port) {
            errors
            cache 30
            bind \(values.localIPs.joined(separator: " "))
            forward . \(servers.joined(separator: " "))
        }

        """
    }
    return text
  }
}
