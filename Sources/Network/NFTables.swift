import Corefile

/// The same by nftables: a table of our own, which `nft` replaces in one transaction.
///
/// It only keeps queries out of connection tracking. To accept them here would mean nothing: in nftables a packet that
/// one table accepts can still be dropped by another, and nothing is dropped here.
package struct NFTables {
  /// Instances that serve other ports or another interface have a table of another name, and leave this one alone.
  package let table: String
  /// For `nft -f`: whatever the table was, then it is this.
  package let ruleset: String
  /// What `nft` lists since the table was last written; nil before.
  private var listing: String?

  package init(_ configuration: NetworkConfiguration) {
    let name = configuration.interface.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    table = "ringlet_\(String(name))_\(configuration.dnsPort)_\(configuration.healthPort)"
    let families = [
      ("ip", configuration.addresses.filter(\.isIPv4)), ("ip6", configuration.addresses.filter { !$0.isIPv4 }),
    ]
    let dns = "meta l4proto { tcp, udp } th"
    let (query, reply) = ("\(dns) dport \(configuration.dnsPort)", "\(dns) sport \(configuration.dnsPort)")
    let (check, checked) = ("tcp dport \(configuration.healthPort)", "tcp sport \(configuration.healthPort)")
    /// A line for each family that has addresses.
    func rules(_ side: String, _ match: String) -> String {
      families.filter { !$0.1.isEmpty }.map { family, addresses in
        "    \(family) \(side) { \(addresses.map(\.description).joined(separator: ", ")) } \(match) notrack\n"
      }.joined()
    }
    func chain(_ hook: String, _ rules: String) -> String {
      "  chain \(hook) {\n    type filter hook \(hook) priority raw; policy accept;\n\(rules)  }\n"
    }
    let prerouting = chain("prerouting", rules("daddr", query))
    let output = chain(
      "output", rules("saddr", reply) + rules("daddr", query) + rules("daddr", check) + rules("saddr", checked))
    ruleset = "\(Self.removal(of: table))table inet \(table) {\n\(prerouting)\(output)}\n"
  }

  /// Writes the table unless it is as it was last written; whether it did.
  mutating func ensure(interrupt: Int32) throws(NetworkFailure) -> Bool {
    if let listing, try list(interrupt) == listing { return false }
    try write(ruleset, FirewallProgram.limit, interrupt)
    let listed = try list(interrupt)
    // What others take away before it is listed is missing in the listing too: then the next look writes it again.
    listing = Self.rules(in: listed ?? "") == Self.rules(in: ruleset) ? listed : nil
    return true
  }

  /// How many rules of ours a text has; each ends a line.
  private static func rules(in text: String) -> Int { text.split(separator: "\n").count { $0.hasSuffix(" notrack") } }

  /// - Parameter end: when to give up.
  func remove(by end: ContinuousClock.Instant) throws(NetworkFailure) {
    try write(Self.removal(of: table), end - .now, nil)
  }

  private func write(_ text: String, _ limit: Duration, _ interrupt: Int32?) throws(NetworkFailure) {
    let words = ["nft", "-f", "-"]
    let ending = try run(words, text, limit, interrupt)
    if ending.status != 0 { throw FirewallProgram.failure(words, ending) }
  }

  /// Deletes the table, be it there or not.
  private static func removal(of table: String) -> String { "add table inet \(table)\ndelete table inet \(table)\n" }

  /// The table as nft prints it; nil where it is not there.
  private func list(_ interrupt: Int32) throws(NetworkFailure) -> String? {
    let ending = try run(["nft", "list", "table", "inet", table], "", FirewallProgram.limit, interrupt)
    return ending.status == 0 ? ending.output : nil
  }

  private func run(
    _ words: [String], _ input: String, _ limit: Duration, _ interrupt: Int32?
  ) throws(NetworkFailure) -> Command.Ending {
    do {
      return try Command(words: words, input: input).run(within: limit, interrupt: interrupt)
    } catch {
      throw FirewallProgram.failure(words, error)
    }
  }
}
