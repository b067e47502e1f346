import FoundationEssentials
import Glibc

/// A program that was started, as leader of a process group of its own, so that it can be ended with all it starts.
final class Child {
  let program: String
  let pid: pid_t
  /// What it has written to standard output; nil if it writes to ours.
  private let log: String?
  private var status: Int32?

  /// Starts the program `arguments[0]` of PATH on the given CPUs (all, if none are given). With `log` its standard
  /// output goes into that file, and its standard error with it unless `errors` names another.
  init(_ arguments: [String], on cpus: [Int] = [], log: String? = nil, errors: String? = nil) throws(Failure) {
    let pinned = cpus.isEmpty ? [] : ["taskset", "-c", cpus.map(String.init).joined(separator: ",")]
    program = arguments[0]
    self.log = log
    pid = try Self.spawn(pinned + arguments, log, errors)
  }

  private static func spawn(_ arguments: [String], _ log: String?, _ errors: String?) throws(Failure) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    var unblocked = sigset_t()
    var pid = pid_t()
    // Everything pointed to lives until posix_spawnp returns; the argument lists end with nil.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    unsafe sigemptyset(&unblocked)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    unsafe posix_spawnattr_setsigmask(&attributes, &unblocked)
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    if let log {
      unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
      if let errors {
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
      } else {
        unsafe posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
      }
    }
    var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var variables = unsafe ProcessInfo.processInfo.environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
    defer {
      for index in unsafe words.indices { unsafe free(words[index]) }
      for index in unsafe variables.indices { unsafe free(variables[index]) }
    }
    let code = unsafe posix_spawnp(&pid, words[0]!, &actions, &attributes, &words, &variables)
    guard code == 0 else { throw Failure("\(arguments[0]) cannot be started: \(systemMessage(code))") }
    return pid
  }

  var isAlive: Bool {
    if status == nil {
      var ended: Int32 = 0
      // The status lives through the call.
      if unsafe waitpid(pid, &ended, WNOHANG) == pid { status = ended }
    }
    return status == nil
  }

  /// Waits for its end: the exit code, 128 and the signal's number if a signal ended it.
  func wait(seconds: Double) throws -> Int32 {
    let end = ContinuousClock.now + .seconds(seconds)
    while isAlive {
      let left = (end - ContinuousClock.now) / .seconds(1)
      guard left > 0 else { throw Failure("\(program) has not ended within \(Int(seconds)) s; \(lastWords)") }
      try Interruption.pause(min(left, 0.5))
    }
    return status! & 0x7F == 0 ? status! >> 8 & 0xFF : 128 + status! & 0x7F
  }

  /// Everything it has written.
  var output: [UInt8] { log.flatMap { FileManager.default.contents(atPath: $0) }.map(Array.init) ?? [] }

  /// The end of what it has written, in one line.
  var lastWords: String {
    let text = String(decoding: output.suffix(300), as: UTF8.self).split(whereSeparator: \.isNewline).suffix(3)
    return text.isEmpty ? "it has said nothing" : "it said: \(text.joined(separator: " | "))"
  }

  /// Ends it and its whole group: SIGTERM, and SIGKILL to what is left after a second.
  func end() {
    guard isAlive else {
      kill(-pid, SIGKILL)
      return
    }
    kill(-pid, SIGTERM)
    var tries = 0
    while isAlive, tries < 100 {
      usleep(10_000)
      tries += 1
    }
    kill(-pid, SIGKILL)
    while isAlive { usleep(1000) }
  }
}

/// What errno(3) calls an error.
func systemMessage(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
