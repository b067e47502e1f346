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

  /// Rewrites the one line of progress on a terminal; elsewhere says nothing.
  func progress(_ line: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    write("\r\u{1B}[K\(line)", to: STDERR_FILENO, end: "")
  }

  private func write(_ line: String, to descriptor: Int32, end: String = "\n") {
    fflush(nil)
    let bytes = Array((line + end).utf8)
    // The array lives through the call.
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }
}
