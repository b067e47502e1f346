import Glibc
import Network
import Testing

@Suite struct CommandTests {
  private func shell(_ script: String, input: String = "") -> Command {
    Command(words: ["sh", "-c", script], input: input)
  }

  @Test func saysHowAProgramEndedAndWhatItWrote() throws {
    let ending = try shell("cat; echo wrong >&2; exit 3", input: "some\nrules\n").run(within: .seconds(10))
    #expect(ending.status == 3)
    #expect(ending.output == "some\nrules\n")
    #expect(ending.errors == "wrong\n")
  }

  @Test func aProgramThatIsNotThere() {
    #expect(throws: Command.Failure.notStarted(ENOENT)) {
      try Command(words: ["/nonexistent/iptables"]).run(within: .seconds(10))
    }
  }

  @Test func aProgramThatHangsIsKilled() {
    #expect(throws: Command.Failure.tookTooLong) { try shell("exec sleep 100").run(within: .milliseconds(50)) }
  }

  @Test func aProgramThatWritesWithoutEndIsKilled() {
    #expect(throws: Command.Failure.tookTooLong) { try shell("exec yes").run(within: .milliseconds(50)) }
  }

  @Test func aProgramKilledByASignal() {
    #expect(throws: Command.Failure.killed(SIGSEGV)) { try shell("kill -SEGV $$").run(within: .seconds(10)) }
  }

  @Test func aReadableDescriptorInterrupts() {
    var ends: [Int32] = [-1, -1]
    // Sound: room for two.
    #expect(unsafe pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    var byte: UInt8 = 1
    // Sound: one byte.
    #expect(unsafe write(ends[1], &byte, 1) == 1)
    #expect(throws: Command.Failure.interrupted) {
      try shell("exec sleep 100").run(within: .seconds(60), interrupt: ends[0])
    }
  }

  /// Threads of the daemon block all signals; a child that inherited that could not be ended, and `sleep` in a script
  /// not be interrupted.
  @Test func theChildHasNoSignalBlockedOrIgnoredAndNoDescriptorOfOurs() throws {
    var all = sigset_t()
    var before = sigset_t()
    // Sound: both live through the calls.
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    signal(SIGUSR2, SIG_IGN)
    defer { signal(SIGUSR2, SIG_DFL) }
    let script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd"
    let words = try shell(script).run(within: .seconds(10)).output.split(whereSeparator: \.isWhitespace)
    // Signals 32 and 33 belong to the C library, which lets nobody set them.
    let masks = [1, 3].compactMap { UInt64(words[$0], radix: 16) }
    #expect(masks.map { $0 & 0x7FFF_FFFF } == [0, 0])
    // The fourth is that of the directory being listed.
    #expect(words[4...] == ["0", "1", "2", "3"])
  }
}
