import Glibc

/// Why a load cannot start or go on: one line that says what was expected and what to do.
struct LoadError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  /// A system call's refusal: what was attempted, and the kernel's reason.
  init(_ attempt: String, code: Int32) { description = "\(attempt): \(reason(code))" }
}

/// The text of an errno.
func reason(_ code: Int32) -> String {
  // strerror's text lives until this thread's next call.
  unsafe String(cString: strerror(code))
}
