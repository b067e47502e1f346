import Glibc

/// What is being done, on standard error: one line that changes on a terminal, a line each elsewhere.
enum Progress {
  private static let isTerminal = isatty(STDERR_FILENO) == 1
  private static let start = ContinuousClock.now

  static func show(_ text: String) {
    let seconds = Int((ContinuousClock.now - start) / .seconds(1))
    let line = "[\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60)] \(text)"
    say(isTerminal ? "\r\u{1B}[K\(line)" : "\(line)\n")
  }

  /// The line goes, to make room for output.
  static func clear() { say(isTerminal ? "\r\u{1B}[K" : "") }

  private static func say(_ text: String) {
    let bytes = Array(text.utf8)
    // The array has as many bytes as it says. Where standard error is closed there is nobody to tell.
    _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
  }
}
