import Corefile

/// node-cache's rules by way of the programs iptables and ip6tables, whichever of legacy and nft these are.
struct IPTables {
  let rules: [FirewallRule]

  init(_ configuration: NetworkConfiguration) {
    rules = configuration.addresses.flatMap {
      FirewallRule.all(for: $0, dnsPort: configuration.dnsPort, healthPort: configuration.healthPort)
    }
  }

  /// Whether the programs for all families can list rules here. Without permission they cannot.
  func work(interrupt: Int32) -> Bool {
    Set(rules.map(\.program)).allSatisfy { program in
      let ending = try? Command(words: [program, "-w", "5", "-S", "PREROUTING", "-t", "raw"])
        .run(within: FirewallProgram.limit, interrupt: interrupt)
      return ending?.status == 0
    }
  }

  /// Puts those of the wanted rules first in their chains that are nowhere in them. A rule that fails does not keep the
  /// others from being set, unless they would fail and wait alike.
  func ensure(where isWanted: (FirewallRule) -> Bool, interrupt: Int32) -> (added: Int, failures: [NetworkFailure]) {
    var added = 0
    var failures: [NetworkFailure] = []
    for rule in rules where isWanted(rule) {
      let run = { (words: [String]) throws(Command.Failure) in
        try Command(words: words).run(within: FirewallProgram.limit, interrupt: interrupt)
      }
      let check = rule.command("-C")
      do {
        // iptables(8): 1 is for a rule that is not there, and for some faults, which the insertion meets again.
        let found = try run(check)
        if found.status == 0 { continue }
        let insert = rule.command("-I")
        let ending = found.status == 1 ? try run(insert) : found
        if ending.status == 0 {
          added += 1
          continue
        }
        failures.append(FirewallProgram.failure(check, ending))
        if failures.last?.kind == .iptablesLock { break }
      } catch {
        failures.append(FirewallProgram.failure(check, error))
        break
      }
    }
    return (added, failures)
  }

  /// Deletes each rule as often as it is there, at most 1,000 times; the number deleted.
  ///
  /// - Parameter end: when to give up.
  func remove(by end: ContinuousClock.Instant) throws(NetworkFailure) -> Int {
    var removed = 0
    for rule in rules {
      let delete = rule.command("-D")
      for _ in 0..<1000 {
        let ending: Command.Ending
        do {
          ending = try Command(words: delete).run(within: end - .now)
        } catch {
          throw FirewallProgram.failure(delete, error)
        }
        if ending.status == 1 { break }
        if ending.status != 0 { throw FirewallProgram.failure(delete, ending) }
        removed += 1
      }
    }
    return removed
  }
}
