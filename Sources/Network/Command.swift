import CNetlink
import Glibc

/// A program, found in PATH, run to its end.
package struct Command {
  /// Why there is no exit code.
  package enum Failure: Error, Equatable {
    /// An error number; `ENOENT`: there is no such program.
    case notStarted(Int32)
    /// It ran longer than it may, and was killed.
    case tookTooLong
    /// `interrupt` became readable, and it was killed.
    case interrupted
    /// By a signal of somebody else's.
    case killed(Int32)
  }

  package struct Ending: Equatable {
    package let status: Int32
    package let output: String
    package let errors: String
  }

  /// The program's name and its arguments.
  package let words: [String]
  /// For its standard input; at most 64 KiB.
  package let input: String

  package init(words: [String], input: String = "") {
    self.words = words
    self.input = input
  }

  /// Runs it with no signal blocked or ignored, with our environment and no descriptor of ours.
  ///
  /// Pipes hold 64 KiB: a program that writes more stands still until its time is up.
  ///
  /// - Parameter interrupt: a descriptor; once it is readable, the program is killed.
  package func run(within limit: Duration, interrupt: Int32? = nil) throws(Failure) -> Ending {
    var source = try Pipe()
    let output = try Pipe()
    let errors = try Pipe()
    guard source.fill(input) else { throw .notStarted(E2BIG) }
    let process = try spawn(input: source.reader, output: output.writer, errors: errors.writer)
    let failure = awaitEnd(of: process, limit, interrupt)
    if failure != nil { kill(process, SIGKILL) }
    var status: Int32 = 0
    // Sound: the status lives through the call. The process has ended or is about to.
    while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    if let failure { throw failure }
    // wait(2): the low seven bits are the signal that ended it, the next byte its exit code.
    guard status & 0x7F == 0 else { throw .killed(status & 0x7F) }
    return Ending(status: status >> 8 & 0xFF, output: output.contents(), errors: errors.contents())
  }

  /// Until the process has ended: nil, or why it must.
  private func awaitEnd(of process: pid_t, _ limit: Duration, _ interrupt: Int32?) -> Failure? {
    let descriptor = pidfd_open(process, 0)
    if descriptor < 0 { return .notStarted(errno) }
    defer { close(descriptor) }
    let end = ContinuousClock.now + limit
    while true {
      let left = (end - .now) / .milliseconds(1)
      if left <= 0 { return .tookTooLong }
      // poll(2) passes over a negative descriptor.
      var polled = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: interrupt ?? -1, events: Int16(POLLIN), revents: 0),
      ]
      // Sound: two entries.
      let ready = unsafe poll(&polled, 2, Int32(min(left + 1, 60_000)))
      if ready < 0, errno != EINTR { return .notStarted(errno) }
      if ready > 0, polled[0].revents != 0 { return nil }
      if ready > 0, polled[1].revents != 0 { return .interrupted }
    }
  }

  private func spawn(input: Int32, output: Int32, errors: Int32) throws(Failure) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    var (none, all) = (sigset_t(), sigset_t())
    var process: pid_t = 0
    // Sound: everything here lives until it is destroyed or freed below; the arrays of strings end with nil.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
    unsafe posix_spawnattr_init(&attributes)
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    let code = unsafe posix_spawnp(
      &process, words[0], &actions, &attributes, &arguments, cnetlink_environment())
    for index in unsafe arguments.indices { unsafe free(arguments[index]) }
    unsafe posix_spawn_file_actions_destroy(&actions)
    unsafe posix_spawnattr_destroy(&attributes)
    if code != 0 { throw .notStarted(code) }
    return process
  }
}

/// A pipe of which nobody waits for this end: it holds 64 KiB (pipe(7)).
private struct Pipe: ~Copyable {
  let reader: Int32
  private(set) var writer: Int32

  init() throws(Command.Failure) {
    var ends: [Int32] = [-1, -1]
    // Sound: room for two.
    if unsafe pipe2(&ends, O_CLOEXEC) < 0 { throw .notStarted(errno) }
    (reader, writer) = (ends[0], ends[1])
  }

  deinit {
    close(reader)
    if writer >= 0 { close(writer) }
  }

  /// Puts all of `text` in and ends it there; false if it does not fit.
  mutating func fill(_ text: String) -> Bool {
    _ = fcntl(writer, F_SETFL, O_NONBLOCK)
    let bytes = Array(text.utf8)
    // Sound: the array has as many bytes as it says.
    let count = unsafe write(writer, bytes, bytes.count)
    close(writer)
    writer = -1
    return count == bytes.count
  }

  /// What is in it.
  func contents() -> String {
    _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    var bytes = [UInt8](repeating: 0, count: 65_536)
    // Sound: the array has as many bytes as it says.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(reader, $0.baseAddress!, $0.count) }
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
