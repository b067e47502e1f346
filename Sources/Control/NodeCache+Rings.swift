import ArgumentParser
import Engine
import Glibc
import Logging
import Rings
import Sockets

extension RingChoice: ExpressibleByArgument {}

extension NodeCache {
  /// Tries what the flags ask for, and says what came of it.
  func chooseRing() throws(Fatal) -> RingReport {
    let tier: RingTier
    do {
      tier = try flags.ring.tier()
    } catch {
      throw Fatal(message: "--ring io_uring: \(Self.advice(error)); or leave the choice to --ring auto", status: 1)
    }
    let isAsked = tier.kind == .ioUring || flags.ring == .epoll
    log.logger().log(level: isAsked ? .info : .warning, "Ring: \(tier.kind.rawValue) (\(tier.reason))")
    return RingReport(
      tier, mayMove: flags.ring == .auto,
      moved: { [log] shard, tier in
        log.logger().warning("Ring: shard \(shard) goes on with \(tier.kind.rawValue) (\(tier.reason))")
      },
      stopped: { [log] shard, error in
        log.logger().critical("Ring: shard \(shard) has none left (\(error)); start Ringlet again")
        log.flush()
        exit(1)
      })
  }

  /// What `make` makes, or why its shards cannot have their sockets and rings.
  func start(_ make: () throws -> Generation) throws(Fatal) -> Generation {
    do {
      return try make()
    } catch let error as ListenError {
      throw Fatal(
        message: "Listen: listen \(error.transport) \(error.listener): bind: \(errorText(error.code))", status: 1)
    } catch let error as RingError {
      throw Fatal(message: Self.advice(error), status: 1)
    } catch {
      throw Fatal(message: "\(error)", status: 1)
    }
  }

  private static func advice(_ error: RingError) -> String {
    switch error.code {
    case EPERM:
      return "\(error). io_uring is forbidden here: allow io_uring_setup, io_uring_enter and io_uring_register in the "
        + "pod's seccomp profile, and see that sysctl kernel.io_uring_disabled is 0"
    case ENOSYS, EINVAL: return "\(error). Ringlet needs io_uring of Linux 6.1 or later"
    case ENOMEM: return "\(error). Raise the memory limit of the pod, or its locked-memory limit (ulimit -l)"
    default: return error.description
    }
  }

  /// What an errno means (strerror(3)).
  private func errorText(_ code: Int32) -> String {
    // The C library's text, copied at once.
    unsafe String(cString: strerror(code))
  }
}
