import Foundation

/// A `ControlProbe` process, seen from outside.
struct Probe {
  let process = Process()
  private let output = Pipe()
  private let errors = Pipe()

  /// Starts `ControlProbe` with `arguments`. `output` replaces the pipe that `finish` reads.
  init(_ arguments: String..., output file: FileHandle? = nil) throws {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    process.executableURL = folder.appendingPathComponent("ControlProbe")
    process.arguments = arguments
    process.environment = ["TZ": "UTC"]
    process.standardOutput = file ?? output
    process.standardError = errors
    try process.run()
  }

  /// Waits for the end: exit status and what was written.
  func finish() -> (status: Int32, output: String, errors: String) {
    let outputText = process.standardOutput as? Pipe === output ? read(output) : ""
    let errorText = read(errors)
    process.waitUntilExit()
    return (process.terminationReason == .exit ? process.terminationStatus : -1, outputText, errorText)
  }

  /// The next line of standard output, waiting for it.
  func line() -> String {
    var line = Data()
    while let byte = try? output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8) {
      line += byte
    }
    return String(decoding: line, as: UTF8.self)
  }

  private func read(_ pipe: Pipe) -> String {
    String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  }
}
