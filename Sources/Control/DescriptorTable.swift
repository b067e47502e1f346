import Glibc
import Sockets

/// The process's table of descriptors. One that has to grow while there are threads has who needs the next descriptor wait
/// until every processor has seen the new one, 10 to 40 ms (synchronize_rcu in expand_fdtable of Linux): a shard that
/// accepts its 64th client, its 128th, and so on, would hold up all others.
enum DescriptorTable {
  /// A shard's streams, those that end, connections to upstreams, and what the process has besides.
  private static let ofShard = 2048

  /// Makes room for what so many shards may need, as far as the limit (RLIMIT_NOFILE) goes. Before any thread starts.
  static func grow(shards: Int) {
    var limit = rlimit()
    // Sound: the structure lives through the call.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    let count = min(UInt64(shards * ofShard), UInt64(limit.rlim_cur))
    let any = EventSignal()
    let last = fcntl(any.descriptor, F_DUPFD_CLOEXEC, Int32(clamping: Int64(count) - 1))
    if last >= 0 { close(last) }
  }
}
