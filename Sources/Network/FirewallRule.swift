import Corefile

/// One of node-cache's iptables rules, word for word and in its order of arguments: so `-C` of either program finds
/// what the other has set (`spec/drop-in.md` a.7).
package struct FirewallRule: Hashable, Sendable {
  package enum Target: String {
    case noTrack = "NOTRACK"
    case accept = "ACCEPT"
  }

  /// Which side of a packet is the server.
  package enum Side {
    case destination
    case source
  }

  package let address: IPAddress
  package let table: String
  package let chain: String
  package let isTCP: Bool
  package let side: Side
  package let port: UInt16
  package let target: Target

  /// The twelve rules for an address, in node-cache's order.
  package static func all(for address: IPAddress, dnsPort: UInt16, healthPort: UInt16) -> [FirewallRule] {
    func rule(_ table: String, _ chain: String, tcp: Bool, _ side: Side, _ port: UInt16) -> FirewallRule {
      FirewallRule(
        address: address, table: table, chain: chain, isTCP: tcp, side: side, port: port,
        target: table == "raw" ? .noTrack : .accept)
    }
    let places: [(String, String, Side)] = [
      ("raw", "PREROUTING", .destination), ("filter", "INPUT", .destination), ("raw", "OUTPUT", .source),
      ("filter", "OUTPUT", .source), ("raw", "OUTPUT", .destination),
    ]
    return places.flatMap { table, chain, side in
      [true, false].map { rule(table, chain, tcp: $0, side, dnsPort) }
    } + [.destination, .source].map { rule("raw", "OUTPUT", tcp: true, $0, healthPort) }
  }

  var program: String { address.isIPv4 ? "iptables" : "ip6tables" }

  /// The command line for `-C`, `-I` or `-D`. It waits 5 s for the lock.
  package func command(_ operation: String) -> [String] {
    [program, "-w", "5", operation, chain, "-t", table] + conditions + [comment]
  }

  /// The command line that lists the chain.
  var listing: [String] { [program, "-w", "5", "-S", chain, "-t", table] }

  /// The line for iptables-restore.
  func line(_ operation: String) -> String {
    ([operation, chain] + conditions + ["\"\(comment)\""]).joined(separator: " ")
  }

  private var conditions: [String] {
    let isToServer = side == .destination
    return ["-p", isTCP ? "tcp" : "udp", isToServer ? "-d" : "-s", "\(address)"]
      + [isToServer ? "--dport" : "--sport", "\(port)", "-j", target.rawValue, "-m", "comment", "--comment"]
  }

  static let mark = "NodeLocal DNS Cache"

  private var comment: String {
    "\(Self.mark): \(target == .noTrack ? "skip conntrack" : "allow DNS traffic")"
  }
}
