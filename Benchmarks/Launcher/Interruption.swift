import Glibc

/// The user wants an end: SIGINT, SIGTERM or SIGHUP.
struct Interrupted: Error {}

/// Signals that are waited for instead of handled: the program has one thread, and looks up wherever it waits.
enum Interruption {
  /// To be called first of all; children are started with nothing blocked (`Child`).
  static func block() {
    var signals = watched
    // The set lives through the call.
    unsafe sigprocmask(SIG_BLOCK, &signals, nil)
  }

  /// Sleeps for `seconds`, or until a child has ended.
  static func pause(_ seconds: Double) throws(Interrupted) {
    var signals = watched
    var timeout = timespec(tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
    // Both live through the call.
    let signal = unsafe sigtimedwait(&signals, nil, &timeout)
    guard signal == -1 || signal == SIGCHLD else { throw Interrupted() }
  }

  /// Sleeps for `seconds`, whatever ends meanwhile.
  static func sleep(_ seconds: Double) throws(Interrupted) {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end { try pause((end - ContinuousClock.now) / .seconds(1)) }
  }

  private static var watched: sigset_t {
    var signals = sigset_t()
    // The set lives through the calls.
    unsafe sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGCHLD] { unsafe sigaddset(&signals, signal) }
    return signals
  }
}
