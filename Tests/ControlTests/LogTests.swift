import Control
import Foundation
import Testing

@Suite struct LogTests {
  @Test func startUpLinesAreDatedOnStandardErrorAndLaterOnesAreNot() throws {
    let log = try Probe("log").finish()
    let dated = #/\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[INFO\] Starting node-cache image: UNKNOWN\n/#
    #expect(log.errors.wholeMatch(of: dated) != nil)
    #expect(
      log.output == """
        [INFO] plugin/reload: Running configuration SHA512 = 00
        [WARNING] w key=value
        [FATAL] f

        """)
  }

  @Test func nothingIsLostWhereTheReaderKeepsUp() throws {
    let flood = try Probe("flood", "5000")
    let (status, output, errors) = flood.finish()
    #expect(status == 0)
    #expect(errors.hasPrefix("0 "))
    #expect(output.count == 500_000)
  }

  /// 200,000 lines are 20 MB: the pipe holds 64 KiB, the queue 1 MiB, and one more MiB is stuck in the write.
  @Test func aFullPipeDropsLinesAndHoldsNobodyUp() throws {
    let full = Pipe()
    let (status, _, errors) = try Probe("flood", "200000", output: full.fileHandleForWriting).finish()
    let numbers = errors.split(separator: " ").compactMap { Double($0.filter { $0 != "\n" }) }
    #expect(status == 0)
    #expect(numbers[0] > 170_000)
    #expect(numbers[1] < 2000)
    _ = full
  }

  @Test func aClosedPipeDropsLinesAndKillsNobody() throws {
    let closed = Pipe()
    try closed.fileHandleForReading.close()
    let (status, _, errors) = try Probe("flood", "1000", output: closed.fileHandleForWriting).finish()
    #expect(status == 0)
    #expect(errors.hasPrefix("1000 "))
  }

  @Test func spansAndStringsKeepTheirOrder() throws {
    let pipe = Pipe()
    let writer = LogWriter(file: pipe.fileHandleForWriting.fileDescriptor, capacity: 64)
    writer.write("one")
    let bytes = Array("two".utf8)
    writer.write(bytes.span)
    writer.write(String(repeating: "x", count: 64))
    #expect(writer.flush())
    #expect(try pipe.fileHandleForReading.read(upToCount: 8) == Data("one\ntwo\n".utf8))
    #expect(writer.droppedLines == 1)
    // The writer's thread lives as long as the process, and so must its descriptor.
    _ = unsafe Unmanaged.passRetained(pipe)
  }
}
