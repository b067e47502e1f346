import Glibc

/// Small files of the kernel and the kubelet.
enum TextFile {
  /// The whole file as UTF-8, or nil where it cannot be read or has more than `limit` bytes.
  static func read(_ path: String, limit: Int = 1 << 20) -> String? {
    // Sound: the string lives for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    while bytes.count <= limit {
      let start = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: 4096))
      // Sound: `start` is in bounds, and 4096 bytes follow it.
      let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress! + start, 4096) }
      guard count >= 0 else { return nil }
      bytes.removeLast(4096 - count)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
    }
    return nil
  }
}
