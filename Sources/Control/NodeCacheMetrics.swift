import Synchronization

/// What node-cache adds to CoreDNS's metrics: errors of the network set-up and of the ConfigMap's rendering. All five
/// series exist from the start; Gardener alerts on them.
public final class SetupErrors: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case iptables
    /// The text of the failure has "holding the xtables lock".
    case iptablesLock = "iptables_lock"
    case interfaceAdd = "interface_add"
    case interfaceCheck = "interface_check"
    case configMap = "configmap"
  }

  private let iptables = Atomic<Int>(0)
  private let iptablesLock = Atomic<Int>(0)
  private let interfaceAdd = Atomic<Int>(0)
  private let interfaceCheck = Atomic<Int>(0)
  private let configMap = Atomic<Int>(0)

  public init() {}

  /// From any thread.
  public func count(_ kind: Kind) {
    switch kind {
    case .iptables: iptables.add(1, ordering: .relaxed)
    case .iptablesLock: iptablesLock.add(1, ordering: .relaxed)
    case .interfaceAdd: interfaceAdd.add(1, ordering: .relaxed)
    case .interfaceCheck: interfaceCheck.add(1, ordering: .relaxed)
    case .configMap: configMap.add(1, ordering: .relaxed)
    }
  }

  public func add(to exposition: inout Exposition) {
    for kind in Kind.allCases {
      exposition.counter(
        "coredns_nodecache_setup_errors_total", Double(value(kind)),
        help: "The number of errors during periodic network setup for node-cache",
        labels: ["errortype": kind.rawValue])
    }
  }

  private func value(_ kind: Kind) -> Int {
    switch kind {
    case .iptables: iptables.load(ordering: .relaxed)
    case .iptablesLock: iptablesLock.load(ordering: .relaxed)
    case .interfaceAdd: interfaceAdd.load(ordering: .relaxed)
    case .interfaceCheck: interfaceCheck.load(ordering: .relaxed)
    case .configMap: configMap.load(ordering: .relaxed)
    }
  }
}
