import Glibc

extension Environment {
  /// This process's variables and file system.
  public static let process = Environment(
    variable: { name in
      // getenv's string is copied before anything could change the environment; Ringlet never calls setenv.
      unsafe getenv(name).map { unsafe String(cString: $0) }
    },
    contents: { readFile($0) },
    matches: { pattern in
      var found = unsafe glob_t()
      // globfree is called on every path, also after a failed glob, as glob(3) asks.
      defer { unsafe globfree(&found) }
      guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
      var paths: [String] = []
      for index in 0..<Int(unsafe found.gl_pathc) {
        // gl_pathv holds gl_pathc C strings until globfree.
        if let path = unsafe found.gl_pathv[index] { paths.append(unsafe String(cString: path)) }
      }
      return paths
    })

  /// A regular file's bytes, one more than the parser accepts at most; nil for directories, pipes and unreadable files.
  private static func readFile(_ path: String) -> [UInt8]? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }

    var bytes: [UInt8] = []
    while bytes.count <= Limits.sourceBytes {
      var isFailed = false
      let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        // read(2) writes at most buffer.count bytes and says how many.
        let got = unsafe read(descriptor, buffer.baseAddress, buffer.count)
        isFailed = got < 0
        count = max(got, 0)
      }
      if isFailed { return nil }
      if chunk.isEmpty { break }
      bytes += chunk
    }
    return bytes
  }
}
