import CAtomics
import Glibc

/// Memory with several owners, in this process and in others: a memfd (memfd_create(2)), mapped once in each. Where the
/// kernel gives none it is this process's alone.
public final class SharedRegion: Sendable {
  public let bytes: Bytes
  /// The memfd, for another process to map; -1: there is none.
  public let descriptor: Int32

  /// Zero-filled memory of `size` bytes (> 0). Pages cost nothing until they are touched.
  public init(size: Int) {
    let memfd = atomics_memfd()
    if memfd >= 0, ftruncate(memfd, size) == 0, let bytes = Self.map(memfd, size) {
      (self.bytes, descriptor) = (bytes, memfd)
      return
    }
    if memfd >= 0 { close(memfd) }
    guard let bytes = Self.map(-1, size) else {
      fatalError("cannot map \(size) bytes of memory: errno \(errno); lower --cache-bytes or raise the memory limit")
    }
    (self.bytes, descriptor) = (bytes, -1)
  }

  /// What another process keeps in a memfd, at least `size` bytes of it; nil if it is shorter, or cannot be mapped. The
  /// descriptor stays the caller's.
  public init?(of memfd: Int32, size: Int) {
    var status = stat()
    // Sound: the status lives through the call.
    guard unsafe fstat(memfd, &status) == 0, status.st_size >= size else { return nil }
    let own = fcntl(memfd, F_DUPFD_CLOEXEC, 0)
    guard own >= 0 else { return nil }
    guard let bytes = Self.map(own, size) else {
      close(own)
      return nil
    }
    (self.bytes, descriptor) = (bytes, own)
  }

  deinit {
    // Whoever uses the memory keeps this.
    unsafe munmap(bytes.address, bytes.count)
    MappedMemory.remove(bytes.count)
    if descriptor >= 0 { close(descriptor) }
  }

  /// Zeroes whole pages, and gives them back to the kernel.
  public func clear(_ from: Int, _ length: Int) {
    let pages = bytes.slice(from, length)
    // Sound: within the mapping.
    let isCleared = unsafe madvise(pages.address, pages.count, descriptor >= 0 ? MADV_REMOVE : MADV_DONTNEED) == 0
    precondition(isCleared, "madvise: pages that were mapped cannot be cleared")
  }

  private static func map(_ descriptor: Int32, _ size: Int) -> Bytes? {
    let flags = descriptor >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
    // Sound: a new mapping of `size` bytes.
    guard let memory = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, flags, descriptor, 0), unsafe memory != MAP_FAILED
    else { return nil }
    MappedMemory.add(size)
    return unsafe Bytes(base: memory, count: size)
  }
}
