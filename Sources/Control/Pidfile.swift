import Glibc

/// The file named by `-pidfile`. It is never removed: node-cache leaves it, and manifests wait for it to appear.
public enum Pidfile {
  /// Writes this process's id and a newline; mode 0644 before umask; what was there before is replaced.
  public static func write(to path: String) throws(SystemError) {
    // Sound: the string lives for the call.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw SystemError("open", path, errno: errno) }
    defer { close(file) }
    let text = Array("\(getpid())\n".utf8)
    // Sound: the array has as many bytes as it says.
    guard unsafe Glibc.write(file, text, text.count) == text.count else {
      throw SystemError("write", path, errno: errno)
    }
  }
}
