import Glibc

/// Small files of the kernel, the kubelet and the operator.
enum TextFile {
  /// The whole file as UTF-8, or nil where it cannot be read or has more than `limit` bytes.
  static func read(_ path: String, limit: Int = 1 << 20) -> String? {
    (try? bytes(path, limit: limit)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The whole file, of a pipe too; EFBIG where it has more than `limit` bytes.
  static func bytes(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    // Sound: the string lives for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw SystemError("open", path, errno: errno) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      // Sound: the array has as many bytes as it says.
      let count = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress!, $0.count) }
      guard count >= 0 else { throw SystemError("read", path, errno: errno) }
      if count == 0 { return bytes }
      bytes += part[..<count]
      if bytes.count > limit { throw SystemError("read", path, errno: EFBIG) }
    }
  }

  /// What `-conf` names: a file, or `stdin`.
  static func corefile(_ name: String) throws(SystemError) -> [UInt8] {
    try bytes(name == "stdin" ? "/dev/stdin" : name, limit: 16 << 20)
  }

  /// Replaces what the file holds; makes it with mode 0666 before umask where there is none.
  static func write(_ text: String, to path: String) throws(SystemError) {
    // Sound: the string lives for the call.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw SystemError("open", path, errno: errno) }
    defer { close(file) }
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      // Sound: `done` is in bounds, and that many bytes follow it.
      let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress! + done, bytes.count - done) }
      guard count > 0 else { throw SystemError("write", path, errno: errno) }
      done += count
    }
  }
}
