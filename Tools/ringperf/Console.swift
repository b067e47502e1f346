import Glibc

/// Where lines go: the report to standard output unless that carries JSON, warnings and errors where -W says.
struct Console {
  let hasReport: Bool
  let warnsOnOutput: Bool

  /// A line of the report, at once: a script may be waiting for it.
  func say(_ line: String) {
    guard hasReport else { return }
    print(line)
    fflush(nil)
  }

  func warn(_ line: String) { write(line, to: warnsOnOutput ? STDOUT_FILENO : STDERR_FILENO) }

  /// On a terminal rewrites the one line of progress, elsewhere writes one after the other.
  func progress(_ line: String) {
    let isTerminal = isatty(STDERR_FILENO) == 1
    write(isTerminal ? "\r\u{1B}[K\(line)" : line, to: STDERR_FILENO, end: isTerminal ? "" : "\n")
  }

  /// On a terminal the line of progress goes, to make room for the report.
  func clearProgress() {
    if isatty(STDERR_FILENO) == 1 { progress("") }
  }

  private func write(_ line: String, to descriptor: Int32, end: String = "\n") {
    fflush(nil)
    let bytes = Array((line + end).utf8)
    // The array lives through the call.
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }
}
