import CUring

/// An eventfd (eventfd(2)): one side sleeps until the other has something for it.
public final class EventSignal: Sendable {
  let descriptor: Int32

  public init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC))
    precondition(descriptor >= 0, "eventfd: no descriptor")
  }

  deinit { close(descriptor) }

  /// Sleeps until somebody signalled since the last wait.
  public func wait() {
    var count: eventfd_t = 0
    // The count lives through the call.
    while unsafe eventfd_read(descriptor, &count) != 0 {}
  }

  public func signal() { eventfd_write(descriptor, 1) }
}
