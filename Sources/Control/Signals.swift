import Glibc

/// The process's signals, as values on one thread instead of handlers that interrupt any.
///
/// `block()` must run before any other thread starts, for threads inherit the mask. A child process inherits it too:
/// whoever spawns one resets the mask (`POSIX_SPAWN_SETSIGMASK`).
///
/// Source: sigwait(3); `spec/drop-in.md` a.8.
public enum Signals {
  /// Numbered as on x86 and Arm (signal(7)).
  public enum Signal: Int32, Sendable, CaseIterable {
    case terminate = 15
    case interrupt = 2
    case quit = 3
    /// SIGUSR1: read the Corefile again.
    case reload = 10
    /// SIGUSR2: has no meaning in a container under node-cache; by default it would end the process.
    case handoff = 12

    /// Whether it asks the process to end.
    var ends: Bool { self != .reload && self != .handoff }
  }

  /// Blocks what `deliver` waits for in this thread and those it starts; ignores SIGHUP and SIGPIPE.
  public static func block() {
    signal(SIGHUP, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
    var set = waited()
    // Sound: the set lives through the call.
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Calls `receive` for every signal that arrives from now on, and for those pending since `block()`, one after the
  /// other on a thread of its own. A signal that arrives twice before it is taken is delivered once.
  public static func deliver(to receive: @escaping @Sendable (Signal) -> Void) {
    ControlThread.start {
      var set = waited()
      while true {
        var number: Int32 = 0
        // Sound: both live through the call.
        guard unsafe sigwait(&set, &number) == 0, let signal = Signal(rawValue: number) else { continue }
        receive(signal)
      }
    }
  }

  private static func waited() -> sigset_t {
    var set = sigset_t()
    // Sound: the set lives through the calls.
    unsafe sigemptyset(&set)
    for signal in Signal.allCases { unsafe sigaddset(&set, signal.rawValue) }
    return set
  }
}
