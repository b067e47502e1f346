import CSocket
import Glibc

/// An eventfd (eventfd(2)): one side sleeps until the other has something for it.
public final class EventSignal: Sendable {
  public let descriptor: Int32

  public init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC))
    precondition(descriptor >= 0, "eventfd: no descriptor")
  }

  deinit { close(descriptor) }

  /// Sleeps until somebody signalled since the last wait, or for `milliseconds`; nil: without end.
  public func wait(milliseconds: Int32? = nil) {
    if let milliseconds {
      var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      // The one element lives through the call.
      if unsafe poll(&watched, 1, milliseconds) <= 0 { return }
    }
    var count: eventfd_t = 0
    // The count lives through the call.
    while unsafe eventfd_read(descriptor, &count) != 0 {}
  }

  public func signal() { eventfd_write(descriptor, 1) }
}
