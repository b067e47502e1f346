import ArgumentParser
import Corefile
import Network

extension NetworkConfiguration.Firewall: ExpressibleByArgument {}

extension NetworkConfiguration {
  init(_ flags: Flags) {
    self.init(
      addresses: flags.localIPs.compactMap { IPAddress($0) }, interface: flags.interfaceName,
      keepsInterface: flags.setupInterface, firewall: flags.setupIPTables ? flags.firewall : .none,
      dnsPort: flags.dnsPort, healthPort: flags.healthPort, interval: flags.syncInterval)
  }
}

extension NetworkKeeper {
  /// One that counts its failures, and logs each when it is new.
  convenience init(_ flags: Flags, _ errors: SetupErrors, _ log: ProcessLog) {
    self.init(NetworkConfiguration(flags)) { event in
      switch event {
      case .changed(let text): log.logger().info("\(text)")
      case .failed(let failure, let isNew):
        errors.count(SetupErrors.Kind(failure.kind))
        if isNew { log.logger().error("Network set-up: \(failure)") }
      }
    }
  }
}

extension SetupErrors.Kind {
  fileprivate init(_ kind: NetworkFailure.Kind) {
    self =
      switch kind {
      case .iptables: .iptables
      case .iptablesLock: .iptablesLock
      case .interfaceAdd: .interfaceAdd
      case .interfaceCheck: .interfaceCheck
      }
  }
}
