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
    var missing: [FirewallRule] = []
    var failures: [NetworkFailure] = []
    var bareChains: [[String]: Bool] = [:]
    for rule in rules where isWanted(rule) {
      let listing = rule.listing
      if bareChains[listing] == nil { bareChains[listing] = lacksAll(listing, interrupt) }
      if bareChains[listing] == true {
        missing.append(rule)
        continue
      }
      let check = rule.command("-C")
      do {
        // iptables(8): 1 is for a rule that is not there, and for some faults, which the insertion meets again.
        let found = try Command(words: check).run(within: FirewallProgram.limit, interrupt: interrupt)
        if found.status == 1 { missing.append(rule) }
        if found.status <= 1 { continue }
        failures.append(FirewallProgram.failure(check, found))
        if failures.last?.kind == .iptablesLock { return (0, failures) }
      } catch {
        return (0, failures + [FirewallProgram.failure(check, error)])
      }
    }
    var added = 0
    for (program, rules) in Dictionary(grouping: missing, by: \.program) {
      if rules.count > 1, restore("-I", rules, program, within: FirewallProgram.limit, interrupt) {
        added += rules.count
        continue
      }
      for rule in rules {
        let insertion = rule.command("-I")
        do {
          let ending = try Command(words: insertion).run(within: FirewallProgram.limit, interrupt: interrupt)
          if ending.status == 0 { added += 1 } else { failures.append(FirewallProgram.failure(insertion, ending)) }
          if failures.last?.kind == .iptablesLock { return (added, failures) }
        } catch {
          return (added, failures + [FirewallProgram.failure(insertion, error)])
        }
      }
    }
    return (added, failures)
  }

  /// Whether a chain has no rule of anybody's with this comment, as after a flush. A listing beyond what a pipe holds, or
  /// one that fails, says nothing.
  private func lacksAll(_ listing: [String], _ interrupt: Int32? = nil) -> Bool {
    let ending = try? Command(words: listing).run(within: .seconds(2), interrupt: interrupt)
    return ending.map { $0.status == 0 && !$0.output.contains(FirewallRule.mark) } ?? false
  }

  /// `-I` or `-D` of all these rules at once: a run of iptables-restore takes about as long as one of iptables. False,
  /// and nothing done: iptables-restore is not there or would change what iptables does not see, or one rule failed.
  private func restore(
    _ operation: String, _ rules: [FirewallRule], _ program: String, within limit: Duration, _ interrupt: Int32? = nil
  ) -> Bool {
    guard let backend = backend(program, interrupt), backend == self.backend("\(program)-restore", interrupt) else {
      return false
    }
    let tables = Dictionary(grouping: rules, by: \.table).map { table, rules in
      "*\(table)\n" + rules.map { $0.line(operation) + "\n" }.joined() + "COMMIT\n"
    }
    let restore = Command(words: ["\(program)-restore", "-w", "5", "-n"], input: tables.joined())
    return (try? restore.run(within: limit, interrupt: interrupt))?.status == 0
  }

  /// ` v1.8.9 (nf_tables)`, what a program says after its name; nil: it does not run.
  private func backend(_ program: String, _ interrupt: Int32?) -> String? {
    let ending = try? Command(words: [program, "-V"]).run(within: .seconds(2), interrupt: interrupt)
    return ending.map { String($0.output.drop { $0 != " " }) }
  }

  /// Deletes each rule as often as it is there, at most 1,000 times: all at once, and then what is left, one by one; the
  /// number deleted.
  ///
  /// - Parameter end: when to give up.
  func remove(by end: ContinuousClock.Instant) throws(NetworkFailure) -> Int {
    var removed = 0
    for (program, rules) in Dictionary(grouping: rules, by: \.program)
    where restore("-D", rules, program, within: end - .now) {
      removed += rules.count
    }
    var bareChains: [[String]: Bool] = [:]
    for rule in rules {
      let listing = rule.listing
      if bareChains[listing] == nil { bareChains[listing] = lacksAll(listing) }
      if bareChains[listing] == true { continue }
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
