import Glibc

/// Wakes its thread when something in some directories changes: by inotify(7) where the kernel allows it, and else
/// only when the time is up, so that whoever waits looks by itself.
///
/// A mounted ConfigMap changes by a new target of its link `..data`, a file by being written or replaced: all of them
/// are events of the directory.
struct DirectoryWatch: ~Copyable {
  /// Directories that do not exist yet are tried again with each wait, before its end: what changes after it is seen.
  private let paths: [String]
  /// Of inotify, -1 without.
  private let file: Int32

  /// Once something happened, as long nothing more has to happen, and this long in all, in milliseconds: whoever
  /// copies files by hand is not interrupted.
  private static let (quiet, longest): (Int32, Int) = (50, 500)

  init(_ paths: [String]) {
    self.paths = paths
    file = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    watchAll()
  }

  deinit {
    if file >= 0 { close(file) }
  }

  /// Whether inotify works here: some nodes have no instance left (sysctl fs.inotify.max_user_instances).
  var isPrompt: Bool { file >= 0 }

  /// Sleeps until something changed, true, or `limit` milliseconds have passed, false.
  func wait(milliseconds limit: Int) -> Bool {
    defer { watchAll() }
    guard hasEvent(within: Int32(clamping: limit)) else { return false }
    for _ in 0..<(Self.longest / Int(Self.quiet)) {
      discardEvents()
      if !hasEvent(within: Self.quiet) { break }
    }
    return true
  }

  private func watchAll() {
    if file < 0 { return }
    let events = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_ONLYDIR
    // Sound: the string lives for the call. The same directory keeps its one watch.
    for path in paths { _ = unsafe inotify_add_watch(file, path, UInt32(events)) }
  }

  private func hasEvent(within milliseconds: Int32) -> Bool {
    // A negative descriptor is passed over (poll(2)).
    var wanted = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    // Sound: one structure, alive through the call.
    return unsafe poll(&wanted, 1, milliseconds) > 0
  }

  private func discardEvents() {
    var events = [UInt8](repeating: 0, count: 4096)
    // Sound: the array has as many bytes as it says. An empty queue gives EAGAIN.
    while unsafe read(file, &events, events.count) > 0 {}
  }
}
