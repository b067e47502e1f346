import Glibc

/// What happened to the network set-up: for the log, and for `coredns_nodecache_setup_errors_total`.
public enum NetworkEvent: Sendable, Equatable {
  /// Something was put in place, put back or taken away.
  case changed(String)
  /// To be counted, and to be logged where `isNew`: the last look at everything did not fail in the same way.
  case failed(NetworkFailure, isNew: Bool)
}

/// A step of the set-up that failed. The server goes on without it; the next look tries again.
public struct NetworkFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// node-cache's error types (`spec/drop-in.md` a.10). Those of nftables count as iptables.
  public enum Kind: Sendable {
    case iptables
    /// Another program holds the lock of iptables.
    case iptablesLock
    /// The interface could not be created, or a new one not be given its addresses.
    case interfaceAdd
    /// An interface that exists could not be looked at or be given an address.
    case interfaceCheck
  }

  public let kind: Kind
  /// What was tried, what came of it, and what the operator can do.
  public let description: String

  init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

/// The C library's text for an error number (strerror(3)).
func errorText(_ code: Int32) -> String {
  // Sound: strerror gives a C string, which is copied at once; glibc's is per thread or constant.
  unsafe String(cString: strerror(code))
}
