import Corefile

/// The cluster's DNS service, whose address Kubernetes gives every pod in an environment variable.
///
/// Source: https://kubernetes.io/docs/concepts/services-networking/service, 'Environment variables'.
public struct ClusterDNS: Equatable, Sendable {
  public let service: String
  /// `KUBE_DNS_UPSTREAM_SERVICE_HOST` for `kube-dns-upstream`.
  public let variable: String
  /// The variable's, nil where it is not set.
  public let value: String?

  /// That no address is known, and what to do about it.
  public struct Unknown: Error, Equatable, CustomStringConvertible {
    public let description: String
  }

  public init(service: String, environment: Environment) {
    self.service = service
    variable = service.uppercased().replacing("-", with: "_") + "_SERVICE_HOST"
    value = environment.variable(variable)
  }

  public func address() throws(Unknown) -> String {
    guard let value else {
      throw Unknown(
        description: "the address of service \(service) is unknown, for environment variable \(variable) is not set: "
          + "create the service in this pod's namespace before the pod, or name another by -upstreamsvc")
    }
    guard IPAddress(value) != nil else {
      throw Unknown(
        description: "the address of service \(service) is unknown, for environment variable \(variable) is "
          + "\"\(value)\"; expected an IP address")
    }
    return value
  }
}
