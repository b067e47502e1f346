import CNetlink
import Corefile
import Glibc

/// Interface and firewall rules: what should be, and the steps that make it so.
struct NetworkState {
  private enum Firewall {
    case none
    /// Until the first look.
    case auto
    case iptables(IPTables)
    case nftables(NFTables)
  }

  private let configuration: NetworkConfiguration
  private let report: @Sendable (NetworkEvent) -> Void
  private var interface: DummyInterface?
  private var firewall: Firewall
  /// Failures of the look in progress, and of the last look at everything.
  private var failures: Set<NetworkFailure> = []
  private var known: Set<NetworkFailure> = []

  init(_ configuration: NetworkConfiguration, report: @escaping @Sendable (NetworkEvent) -> Void) {
    self.configuration = configuration
    self.report = report
    firewall =
      switch configuration.firewall {
      case .none: .none
      case .auto: .auto
      case .iptables: .iptables(IPTables(configuration))
      case .nftables: .nftables(NFTables(configuration))
      }
  }

  /// The interface alone.
  mutating func prepareInterface() {
    ensureInterface()
    known = failures
  }

  /// Looks at everything and mends it. False where something failed.
  ///
  /// - Parameter interrupt: once this descriptor is readable, programs are killed.
  mutating func ensureAll(interrupt: Int32) -> Bool {
    failures = []
    ensureInterface()
    ensureFirewall(interrupt: interrupt)
    known = failures
    return failures.isEmpty
  }

  /// Looks where something was lost, and mends it. False where that failed.
  mutating func mend(_ losses: Set<NetworkWatch.Loss>, interrupt: Int32) -> Bool {
    failures = []
    if !losses.isDisjoint(with: [.interface, .unknown]) {
      // Who takes the interface away takes the rules too, and legacy iptables gives no word of it.
      ensureInterface()
      ensureFirewall(interrupt: interrupt)
    } else {
      ensureFirewall(losses, interrupt: interrupt)
    }
    known.formUnion(failures)
    return failures.isEmpty
  }

  private mutating func ensureInterface() {
    guard configuration.keepsInterface else { return }
    do {
      if interface == nil {
        interface = try DummyInterface(name: configuration.interface, addresses: configuration.addresses)
      }
      guard let (made, failures) = try interface?.ensure() else { return }
      for part in made { report(.changed("Added \(part)")) }
      for failure in failures { fail(failure) }
    } catch {
      fail(error)
    }
  }

  /// - Parameter losses: what rules are gone; nil for a look at all of them.
  private mutating func ensureFirewall(_ losses: Set<NetworkWatch.Loss>? = nil, interrupt: Int32) {
    if case .auto = firewall {
      let iptables = IPTables(configuration)
      firewall = iptables.work(interrupt: interrupt) ? .iptables(iptables) : .nftables(NFTables(configuration))
    }
    switch firewall {
    case .none, .auto: break
    case .iptables(let iptables):
      let (added, failures) = iptables.ensure(where: { losses?.contains($0.loss) ?? true }, interrupt: interrupt)
      if added > 0 { report(.changed("Added \(added) iptables rules")) }
      for failure in failures { fail(failure) }
    case .nftables(var nftables):
      if let losses, !losses.contains(where: nftables.concerns) { return }
      do {
        if try nftables.ensure(interrupt: interrupt) { report(.changed("Wrote nftables table inet \(nftables.table)")) }
        firewall = .nftables(nftables)
      } catch {
        fail(error)
      }
    }
  }

  /// Takes away rules, then addresses and interface; each part until `end` at the latest.
  mutating func remove(by end: ContinuousClock.Instant) {
    do {
      switch firewall {
      case .none, .auto: break
      case .iptables(let iptables): report(.changed("Deleted \(try iptables.remove(by: end)) iptables rules"))
      case .nftables(let nftables):
        try nftables.remove(by: end)
        report(.changed("Deleted nftables table inet \(nftables.table)"))
      }
    } catch {
      fail(error)
    }
    do {
      for removed in try interface?.remove() ?? [] { report(.changed("Removed \(removed)")) }
    } catch {
      fail(error)
    }
  }

  private mutating func fail(_ failure: NetworkFailure) {
    let isNew = failures.insert(failure).inserted && !known.contains(failure)
    report(.failed(failure, isNew: isNew))
  }
}

extension FirewallRule {
  /// What iptables-nft's rules are to nftables.
  fileprivate var loss: NetworkWatch.Loss {
    .rule(family: UInt8(address.isIPv4 ? NFPROTO_IPV4 : NFPROTO_IPV6), table: table, chain: chain)
  }
}

extension NFTables {
  fileprivate func concerns(_ loss: NetworkWatch.Loss) -> Bool {
    switch loss {
    case .interface, .unknown: true
    case .rule(let family, let table, _): family == NFPROTO_INET && table == self.table
    }
  }
}
