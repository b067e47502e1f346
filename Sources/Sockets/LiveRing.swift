import Engine

/// A ring on the kernel's sockets.
public protocol LiveRing: Ring, ~Copyable {
  /// Must be called on the thread that will use it, which `directory` then can wake. Throws what the kernel refused.
  init(index: Int, listeners: Listeners, settings: Settings, directory: RingDirectory) throws(RingError)
}
