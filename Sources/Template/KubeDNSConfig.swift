import Corefile
import FoundationEssentials

/// What the kube-dns ConfigMap adds to a Corefile: its keys `stubDomains` and `upstreamNameservers`.
///
/// `federations`, which node-cache reads and does not use, is not looked at.
///
/// Source: https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers, `spec/drop-in.md` a.4.
public struct KubeDNSConfig: Equatable, Sendable {
  /// The keys, which are the names of files where the ConfigMap is mounted.
  public static let keys = ["stubDomains", "upstreamNameservers"]

  /// Servers by the domain they are asked for, at least one each, as `forward` takes them.
  public var stubDomains: [String: [String]] = [:]
  /// At most three, as `forward` takes them; empty for those of /etc/resolv.conf.
  public var upstreamNameservers: [String] = []

  public init() {}

  /// Why a ConfigMap is not used, none of it.
  public struct Malformed: Error, Equatable, CustomStringConvertible {
    public let key: String
    public let reason: String
    public var description: String { "\(key): \(reason)" }
  }

  /// - Parameters:
  ///   - values: JSON by key; a key that is absent has its default.
  ///   - environment: Where servers that are files are looked for.
  public init(_ values: [String: [UInt8]], environment: Environment) throws(Malformed) {
    for (domain, names) in try Self.decode([String: [String]].self, "stubDomains", values) ?? [:] {
      guard Self.isDomain(domain) else {
        throw Malformed(
          key: "stubDomains", reason: "\"\(domain)\" is no domain; expected lower-case letters, digits, '-' and '.'")
      }
      stubDomains[domain] = try Self.servers(names, "stubDomains", "of \(domain)", environment)
    }
    let upstreams = try Self.decode([String].self, "upstreamNameservers", values) ?? []
    if upstreams.count > 3 {
      throw Malformed(
        key: "upstreamNameservers", reason: "\(upstreams.count) servers; expected at most 3")
    }
    if let name = upstreams.first(where: { Self.address($0) == nil }) {
      throw Malformed(key: "upstreamNameservers", reason: "\"\(name)\" is not IP or IP:port")
    }
    if !upstreams.isEmpty {
      upstreamNameservers = try Self.servers(upstreams, "upstreamNameservers", "given", environment)
    }
  }

  private static func decode<Value: Decodable>(
    _ type: Value.Type, _ key: String, _ values: [String: [UInt8]]
  ) throws(Malformed) -> Value? {
    guard let bytes = values[key] else { return nil }
    do {
      return try JSONDecoder().decode(Value?.self, from: Data(bytes))
    } catch {
      let expected = type == [String].self ? "[\"IP\", ...]" : "{\"domain\": [\"IP\", ...], ...}"
      throw Malformed(key: key, reason: "not the JSON that is expected, \(expected)")
    }
  }

  /// The servers as `forward` takes them, and proof that it does.
  private static func servers(
    _ names: [String], _ key: String, _ owner: String, _ environment: Environment
  ) throws(Malformed) -> [String] {
    if names.isEmpty { throw Malformed(key: key, reason: "no servers \(owner)") }
    var targets: [String] = []
    for name in names {
      guard let target = address(name) ?? (isDomain(name) ? name : nil) else {
        throw Malformed(key: key, reason: "server \"\(name)\" \(owner) is not IP, IP:port or a name")
      }
      targets.append(target)
    }
    let probe = ". {\nforward . \(targets.joined(separator: " "))\n}"
    do {
      _ = try Corefile.parse(Array(probe.utf8), environment: environment)
    } catch {
      throw Malformed(key: key, reason: "servers \(owner): \(error.message)")
    }
    return targets
  }

  /// `10.0.0.1`, `10.0.0.1:5353` as they are; an IPv6 address in brackets and with its port.
  private static func address(_ text: String) -> String? {
    guard let endpoint = Endpoint(text, defaultPort: 53), endpoint.port != 0 else { return nil }
    return endpoint.address.isIPv4 ? text : endpoint.description
  }

  /// A DNS-1123 subdomain (RFC 1123 section 2.1, as Kubernetes reads it).
  private static func isDomain(_ text: String) -> Bool {
    text.utf8.count <= 253
      && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        let bytes = label.utf8
        let isWord = bytes.allSatisfy { byte in
          UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
            || byte == UInt8(ascii: "-")
        }
        return isWord && !bytes.isEmpty && bytes.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
      }
  }
}
