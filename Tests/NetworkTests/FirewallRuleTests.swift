import Corefile
import Network
import Testing

/// The rules as node-cache writes them (`spec/drop-in.md` a.7): a word less, or in another place, and the programs no
/// longer find each other's rules.
@Suite struct FirewallRuleTests {
  private let expected = [
    "PREROUTING -t raw -p tcp -d 169.254.20.10 --dport 53 -j NOTRACK",
    "PREROUTING -t raw -p udp -d 169.254.20.10 --dport 53 -j NOTRACK",
    "INPUT -t filter -p tcp -d 169.254.20.10 --dport 53 -j ACCEPT",
    "INPUT -t filter -p udp -d 169.254.20.10 --dport 53 -j ACCEPT",
    "OUTPUT -t raw -p tcp -s 169.254.20.10 --sport 53 -j NOTRACK",
    "OUTPUT -t raw -p udp -s 169.254.20.10 --sport 53 -j NOTRACK",
    "OUTPUT -t filter -p tcp -s 169.254.20.10 --sport 53 -j ACCEPT",
    "OUTPUT -t filter -p udp -s 169.254.20.10 --sport 53 -j ACCEPT",
    "OUTPUT -t raw -p tcp -d 169.254.20.10 --dport 53 -j NOTRACK",
    "OUTPUT -t raw -p udp -d 169.254.20.10 --dport 53 -j NOTRACK",
    "OUTPUT -t raw -p tcp -d 169.254.20.10 --dport 8080 -j NOTRACK",
    "OUTPUT -t raw -p tcp -s 169.254.20.10 --sport 8080 -j NOTRACK",
  ]

  @Test func twelveRulesInNodeCachesWords() throws {
    let rules = FirewallRule.all(for: try #require(IPAddress("169.254.20.10")), dnsPort: 53, healthPort: 8080)
    let commands = rules.map { $0.command("-C") }
    #expect(commands.map { $0.dropLast(4).joined(separator: " ") } == expected.map { "iptables -w 5 -C \($0)" })
    for command in commands {
      let comment = command.contains("NOTRACK") ? "skip conntrack" : "allow DNS traffic"
      #expect(command.suffix(4) == ["-m", "comment", "--comment", "NodeLocal DNS Cache: \(comment)"])
    }
  }

  @Test func insertionAndDeletionDifferInOneWord() throws {
    let rule = FirewallRule.all(for: try #require(IPAddress("10.0.0.10")), dnsPort: 1053, healthPort: 8099)[0]
    for operation in ["-I", "-D"] {
      #expect(rule.command(operation) == rule.command("-C").map { $0 == "-C" ? operation : $0 })
    }
  }

  @Test func addressesOfIPv6HaveTheirOwnProgram() throws {
    let rules = FirewallRule.all(for: try #require(IPAddress("FD00:0::A")), dnsPort: 53, healthPort: 8080)
    #expect(rules.count == 12)
    #expect(rules.allSatisfy { $0.command("-C")[0] == "ip6tables" && $0.command("-C").contains("fd00::a") })
  }

  @Test func nftablesReplacesItsTableInOneTransaction() throws {
    let tables = NFTables(
      NetworkConfiguration(
        addresses: ["169.254.20.10", "10.0.0.10", "fd00::a"].compactMap { IPAddress($0) }, interface: "node-local.0",
        keepsInterface: true, firewall: .nftables, dnsPort: 53, healthPort: 8080, interval: .seconds(60)))
    #expect(tables.table == "ringlet_node_local_0_53_8080")
    #expect(
      tables.ruleset == """
        add table inet ringlet_node_local_0_53_8080
        delete table inet ringlet_node_local_0_53_8080
        table inet ringlet_node_local_0_53_8080 {
          chain prerouting {
            type filter hook prerouting priority raw; policy accept;
            ip daddr { 169.254.20.10, 10.0.0.10 } meta l4proto { tcp, udp } th dport 53 notrack
            ip6 daddr { fd00::a } meta l4proto { tcp, udp } th dport 53 notrack
          }
          chain output {
            type filter hook output priority raw; policy accept;
            ip saddr { 169.254.20.10, 10.0.0.10 } meta l4proto { tcp, udp } th sport 53 notrack
            ip6 saddr { fd00::a } meta l4proto { tcp, udp } th sport 53 notrack
            ip daddr { 169.254.20.10, 10.0.0.10 } meta l4proto { tcp, udp } th dport 53 notrack
            ip6 daddr { fd00::a } meta l4proto { tcp, udp } th dport 53 notrack
            ip daddr { 169.254.20.10, 10.0.0.10 } tcp dport 8080 notrack
            ip6 daddr { fd00::a } tcp dport 8080 notrack
            ip saddr { 169.254.20.10, 10.0.0.10 } tcp sport 8080 notrack
            ip6 saddr { fd00::a } tcp sport 8080 notrack
          }
        }

        """)
  }
}
