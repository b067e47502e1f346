import Cache
import Memory

extension Shard where R: ~Copyable {
  /// errno of what the kernel has begun to refuse the ring; 0: nothing.
  public var refusal: Int32 { ring.refusal }

  /// Closes what the shard still holds, and gives up its cache, for another to serve with. Who waits for an answer gets
  /// none, and is counted: a ring that is refused can send nothing.
  ///
  /// - Parameter isLast: no other goes on in its place: nobody reads what was sent to it.
  public consuming func surrender(isLast: Bool) -> Segment {
    if leaving == nil { liftLimits() }
    for index in 0..<streams.capacity where streams.isTaken(index) { ring.close(streams[index].handle) }
    for index in 0..<links.capacity where links.isTaken(index) { ring.close(links[index].handle) }
    counters.add(.droppedRingRefused, waiters.count &+ backlog.count)
    if isLast {
      for other in 0..<shards where other != index { loseMail(inboxes[other]) }
      loseMailToEnded()
    }
    return segment
  }

  /// Letters to shards that have ended, their ring forbidden, are nobody's but who wrote them.
  mutating func loseMailToEnded() {
    for other in 0..<shards where other != index && fabric.stages.report(of: other) == .ended {
      loseMail(outboxes[other])
    }
  }

  /// Takes letters away unread; the queries among them, and the answers, are counted.
  private mutating func loseMail(_ box: ByteQueue) {
    while let bytes = box.front() {
      let (letter, _) = Letter.read(bytes)
      if letter.kind == .answer || letter.kind == .question && !letter.origin.isNobody {
        counters.add(.droppedRingRefused)
      }
      box.pop(bytes)
    }
  }
}
