import Glibc

/// A detached thread of the control side: it sleeps most of its life, in one blocking call.
enum ControlThread {
  /// Runs `body` on a new thread; with all signals blocked there, so that they reach only `Signals`.
  ///
  /// Fails only where the process may have no more threads, which nobody can mend at start: traps.
  static func start(_ body: @escaping @Sendable () -> Void) {
    var all = sigset_t()
    var before = sigset_t()
    // Sound: both sets live through the calls. A new thread inherits the mask of its creator.
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }

    var thread = pthread_t()
    // Sound: the box is retained here and released by the new thread, which starts exactly once.
    let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, box)
    precondition(status == 0, "pthread_create: no thread")
    pthread_detach(thread)
  }

  private final class Box: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
