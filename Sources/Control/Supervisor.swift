import Glibc
import Logging
import Network
import Sockets
import Synchronization

/// `ringlet supervise FLAGS`: a small process, PID 1 of a container, that runs `ringlet FLAGS` and keeps what it serves
/// with (`Estate`), so that one that dies is replaced by one with the same sockets and a warm cache. Queries wait in the
/// sockets meanwhile.
///
/// One that ends by itself, or because it was told to, ends this process with its exit code, as without supervision. If it
/// dies again and again, interface and rules go, so that queries reach kube-dns, and come back with the first that lives.
public final class Supervisor: Sendable {
  private struct State {
    var child: pid_t = 0
    var estate: Estate?
    /// The child has served: it is not the configuration that ends it.
    var hasServed = false
  }

  private let arguments: [String]
  private let log = ProcessLog()
  private let network: NetworkKeeper
  private let flags: Flags
  private let state = Mutex(State())

  /// `arguments` are those of the child, whose command line they must be: `flags` says the same.
  public init(_ flags: Flags, _ arguments: [String]) {
    // Before any thread starts: threads inherit the mask.
    Signals.block()
    self.flags = flags
    self.arguments = arguments
    network = NetworkKeeper(flags, SetupErrors(), log)
  }

  /// Deaths in a row that are answered by a new child at once, each within `steady` of its start.
  private static let deaths = 5
  private static let steady = Duration.seconds(10)
  /// Between children after that, at most.
  private static let longestPause: UInt32 = 30

  public func run() -> Never {
    // The child's output is the log; what is said here goes between.
    log.coreStarted()
    Signals.deliver { [self] signal in
      state.withLock { state in
        if state.child > 0 {
          kill(state.child, signal.rawValue)
        } else if signal.ends {
          withdraw(state.estate)
          leave(0)
        }
      }
    }
    var early = 0
    while true {
      let begun = ContinuousClock.now
      let status = supervise()
      let (code, signal) = (status >> 8 & 0xFF, status & 0x7F)
      if signal == 0 || !state.withLock({ $0.hasServed }) { leave(signal == 0 ? code : 128 + signal) }
      early = ContinuousClock.now - begun < Self.steady ? early + 1 : 1
      log.logger("supervise").error("ringlet died of signal \(signal); starting it again with its sockets and cache")
      if early < Self.deaths { continue }
      if early == Self.deaths {
        log.logger("supervise").critical("It dies again and again: queries go to kube-dns until it lives")
        withdraw(state.withLock { $0.estate })
      }
      sleep(min(1 << UInt32(min(early - Self.deaths, 5)), Self.longestPause))
    }
  }

  /// Removes interface and rules, unless another process serves with them.
  private func withdraw(_ estate: Estate?) {
    let own = (estate?.sockets ?? []).joined().map(\.number)
    if !flags.skipTeardown, !UDPSockets.areBound(for: flags, besides: Array(own)) { network.tearDown() }
  }

  private func leave(_ code: Int32) -> Never {
    log.flush()
    exit(code)
  }

  /// Runs a child to its end: waitpid(2)'s status.
  private func supervise() -> Int32 {
    guard let (own, childs) = Line.pair() else { return Self.failed(EMFILE) }
    let result = state.withLock { state in
      let result = spawn(childs.descriptor)
      state.child = max(result, 0)
      return result
    }
    guard result > 0 else { return Self.failed(-result) }
    if state.withLock({ $0.estate })?.send(over: own) != true { own.send([Note.nothing.rawValue]) }
    ControlThread.start { [self] in
      while let message = own.receive(milliseconds: nil) {
        guard let estate = Estate(message, then: own) else { continue }
        state.withLock { ($0.estate, $0.hasServed) = (estate, true) }
      }
    }
    // PID 1 also buries orphans.
    var status: Int32 = 0
    // The status lives through the calls.
    while unsafe waitpid(-1, &status, 0) != result {}
    state.withLock { $0.child = 0 }
    return status
  }

  /// As if a child had ended with 1.
  private static func failed(_ code: Int32) -> Int32 {
    // The C library's text, copied at once.
    let reason = unsafe String(cString: strerror(code))
    ProcessLog().errors.write("supervise: cannot start ringlet: \(reason)")
    return 1 << 8
  }

  /// The child's id, or -errno.
  private func spawn(_ line: Descriptor) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    var none = sigset_t()
    var words = unsafe (["ringlet"] + arguments).map { unsafe strdup($0) } + [nil]
    let inherited = unsafe Self.environment + [strdup("\(Handover.variable)=3"), nil]
    var child: pid_t = 0
    // Sound: all live through the calls, and the strings are this function's until they are freed.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawn_file_actions_adddup2(&actions, line.number, 3)
    unsafe posix_spawnattr_init(&attributes)
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let code = unsafe posix_spawn(&child, "/proc/self/exe", &actions, &attributes, &words, inherited)
    unsafe posix_spawn_file_actions_destroy(&actions)
    unsafe posix_spawnattr_destroy(&attributes)
    unsafe words.append(inherited[inherited.count - 2])
    var at = 0
    while unsafe at < words.count {
      unsafe free(words[at])
      at += 1
    }
    return code == 0 ? child : -code
  }

  /// This process's environment.
  private static var environment: [UnsafeMutablePointer<CChar>?] {
    var all: [UnsafeMutablePointer<CChar>?] = unsafe []
    var at = 0
    // Sound: an array that ends with nil, which nobody changes meanwhile.
    while let entry = unsafe environ[at] {
      unsafe all.append(entry)
      at += 1
    }
    return unsafe all
  }
}
