import Glibc
import Sockets
import Uring

/// What a shard runs on, and why.
public struct RingTier: Sendable, Hashable {
  public enum Kind: String, Sendable {
    case ioUring = "io_uring"
    case epoll
  }

  public let kind: Kind
  public let reason: String

  public init(_ kind: Kind, reason: String) {
    self.kind = kind
    self.reason = reason
  }

  /// epoll, because io_uring failed.
  public init(after error: RingError) { self.init(.epoll, reason: error.description) }
}

/// What `--ring` asks for.
public enum RingChoice: String, Sendable, CaseIterable {
  /// io_uring if each operation of it works here, else epoll.
  case auto
  case ioUring = "io_uring"
  case epoll

  /// Throws what io_uring failed at, if nothing else will do.
  public func tier() throws(RingError) -> RingTier {
    if self == .epoll { return RingTier(.epoll, reason: "asked for") }
    do {
      try RingTrial<UringRing>.run()
      return RingTier(.ioUring, reason: self == .auto ? "every operation works" : "asked for")
    } catch {
      if self == .ioUring { throw error }
      return RingTier(after: error)
    }
  }
}

extension RingError: CustomStringConvertible {
  /// `io_uring_setup: Operation not permitted`
  public var description: String {
    // The C library's text, copied at once.
    unsafe "\(step): \(String(cString: strerror(code)))"
  }
}
