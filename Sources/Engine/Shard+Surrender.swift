import Cache

extension Shard where R: ~Copyable {
  /// errno of what the kernel has begun to refuse the ring; 0: nothing.
  public var refusal: Int32 { ring.refusal }

  /// Closes what the shard still holds, and gives up its cache, for another to serve with. Who waits for an answer gets
  /// none, and is counted: a ring that is refused can send nothing.
  public consuming func surrender() -> Segment {
    for index in 0..<streams.capacity where streams.isTaken(index) { ring.close(streams[index].handle) }
    for index in 0..<links.capacity where links.isTaken(index) { ring.close(links[index].handle) }
    counters.add(.droppedRingRefused, waiters.count)
    return segment
  }
}
