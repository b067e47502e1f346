import Glibc

/// The pages of code, of the program and its libraries.
enum ProgramText {
  /// Lets go of them. What only the start needed stays away, half of them; the rest is mapped again from the page cache as
  /// it is called (madvise(2), MADV_DONTNEED).
  static func release() {
    // proc_pid_maps(5): first-last rights offset device inode path
    let maps = TextFile.read("/proc/self/maps") ?? ""
    for line in maps.split(separator: "\n") where line.contains(" r-xp ") && line.contains("/") {
      let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard ends.count == 2, ends[0] < ends[1] else { continue }
      // Sound: private pages of a file, to which nobody wrote, are read from it again.
      _ = unsafe madvise(UnsafeMutableRawPointer(bitPattern: ends[0]), Int(ends[1] - ends[0]), MADV_DONTNEED)
    }
  }
}
