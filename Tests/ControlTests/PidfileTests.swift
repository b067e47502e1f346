import Control
import Foundation
import Testing

@Suite struct PidfileTests {
  private let scratch: ScratchFolder

  init() throws { scratch = try ScratchFolder() }

  @Test func itHoldsTheIdAndANewlineWhateverWasThere() throws {
    let path = scratch.url.appendingPathComponent("pid").path
    try Data("a longer text than any process id\n".utf8).write(to: URL(fileURLWithPath: path))
    try Pidfile.write(to: path)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "\(ProcessInfo.processInfo.processIdentifier)\n")
  }

  @Test func aNewOneIsReadableByAll() throws {
    let path = scratch.url.appendingPathComponent("pid").path
    try Pidfile.write(to: path)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o644 & ~Int(currentMask()))
  }

  @Test func aFolderThatIsNotThereIsAnErrorThatNamesIt() {
    #expect(throws: SystemError("open", "/nowhere/pid", errno: ENOENT)) { try Pidfile.write(to: "/nowhere/pid") }
    #expect("\(SystemError("open", "/nowhere/pid", errno: ENOENT))" == "open /nowhere/pid: No such file or directory")
  }

  private func currentMask() -> mode_t {
    let mask = umask(0)
    umask(mask)
    return mask
  }
}
