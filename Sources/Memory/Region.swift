import Glibc

/// Page-aligned, zero-filled memory of a fixed size, mapped once and unmapped with its owner. Pages cost nothing until
/// they are touched, so a bound may be generous.
public struct Region: ~Copyable, @unchecked Sendable {
  public let bytes: Bytes

  /// Maps `size` bytes (> 0). A refusal is a start-up failure with nothing to fall back to, so it ends the process.
  public init(size: Int) {
    let memory = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
      fatalError("cannot map \(size) bytes of memory: errno \(errno); lower --cache-bytes or raise the memory limit")
    }
    bytes = unsafe Bytes(base: memory, count: size)
    MappedMemory.add(size)
  }

  deinit {
    // The region is the only owner of this mapping.
    unsafe munmap(bytes.address, bytes.count)
    MappedMemory.remove(bytes.count)
  }
}
