import Memory

/// Bytes that the process may come to hold itself, known at the start: its regions, none of which grows, whether they are
/// touched or not, and an allowance for what is not in regions. Pages of code, which the kernel may drop, are not in it.
enum MemoryCeiling {
  /// The Swift runtime's heap, endpoints, log lines on their way, TLS sessions, stacks, tables of the program.
  private static let heap = 8 << 20
  /// A ring's receive buffers and queues, for each shard.
  private static let ring = 2 << 20

  static func bytes(shards: Int) -> Int { MappedMemory.bytes + heap + shards * ring }
}
