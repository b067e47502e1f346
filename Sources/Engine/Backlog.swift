import Memory

/// Datagrams that have been received and wait for their turn: a queue for each share of clients (`Shard.share`), and the
/// queues are served round and round. So a client that asks faster than there is time to answer waits behind itself, and
/// the others do not wait behind it (stochastic fairness queueing, McKenney 1990).
///
/// The datagrams stay in their receive buffers, which bound it.
package struct Backlog: ~Copyable {
  /// A datagram in a receive buffer, as its completion told of it.
  package struct Waiting: BitwiseCopyable {
    package let result: Int32
    package let listener: UInt16
    package let share: UInt16
    fileprivate var next: Int32 = -1

    package init(result: Int32, listener: Int, share: Int) {
      self.result = result
      self.listener = UInt16(truncatingIfNeeded: listener)
      self.share = UInt16(truncatingIfNeeded: share)
    }
  }

  private struct Queue: BitwiseCopyable {
    var first: Int32 = -1
    var last: Int32 = -1
    var count: Int32 = 0
    /// The share whose turn comes after this one's; `unlisted`: this one has none.
    var next = Queue.unlisted
    static let unlisted: Int32 = -2
  }

  /// Datagrams of one queue that are served in a row: a resolver's A and AAAA stay together, and leave as a pair.
  private static let visit = 4

  /// By receive buffer.
  private var datagrams: Table<Waiting>
  /// By share of clients.
  private var queues: Table<Queue>
  /// Shares in the order of their turns: all of which something waits, and some that have nothing any more.
  private var firstShare: Int32 = -1
  private var lastShare: Int32 = -1
  private var served = 0
  package private(set) var count = 0
  package let capacity: Int

  package init(buffers: Int, shares: Int) {
    capacity = buffers
    datagrams = Table(uninitialized: buffers)
    queues = Table([Queue](repeating: Queue(), count: shares))
  }

  package var isEmpty: Bool { count == 0 }

  /// What waits, or waited until it was taken, in a buffer.
  @inline(__always) package func waiting(in buffer: Int) -> Waiting { datagrams[buffer] }

  @inline(__always) package mutating func append(_ waiting: Waiting, in buffer: Int) {
    let (share, number) = (Int(waiting.share), Int32(truncatingIfNeeded: buffer))
    datagrams[buffer] = waiting
    let queue = queues[share]
    if queue.count > 0 { datagrams[Int(queue.last)].next = number } else { queues[share].first = number }
    queues[share].last = number
    queues[share].count = queue.count &+ 1
    if queue.next == Queue.unlisted { list(share) }
    count &+= 1
  }

  private mutating func list(_ share: Int) {
    queues[share].next = -1
    let number = Int32(truncatingIfNeeded: share)
    if lastShare >= 0 { queues[Int(lastShare)].next = number } else { firstShare = number }
    lastShare = number
  }

  /// Takes the datagram whose turn it is, and returns its buffer; -1: none waits.
  @inline(__always) package mutating func next() -> Int {
    while firstShare >= 0 {
      let share = Int(firstShare)
      let isEmpty = queues[share].count == 0
      if !isEmpty, served < Self.visit {
        served &+= 1
        return takeFirst(of: share)
      }
      served = 0
      firstShare = queues[share].next
      if firstShare < 0 { lastShare = -1 }
      queues[share].next = Queue.unlisted
      if !isEmpty { list(share) }
    }
    return -1
  }

  /// Takes the oldest of the longest queues until no more than `limit` wait, and returns the buffer of one of them, from
  /// which `next(after:)` leads to the others; -1: none. Each round looks at every share once and halves the longest.
  package mutating func cut(to limit: Int) -> Int {
    var last: Int32 = -1
    while count > limit {
      let kept = queues[longest()].count / 2
      var share = Int(firstShare)
      while share >= 0, count > limit {
        while queues[share].count > kept, count > limit {
          let buffer = takeFirst(of: share)
          datagrams[buffer].next = last
          last = Int32(truncatingIfNeeded: buffer)
        }
        share = Int(queues[share].next)
      }
    }
    return Int(last)
  }

  /// After a buffer of those that were cut: the next of them, or -1.
  package func next(after buffer: Int) -> Int { Int(datagrams[buffer].next) }

  /// A datagram, by its buffer, of the share of which most wait; nil: none stands out, for even that one has less than an
  /// eighth of all.
  package var flooder: Int? {
    let share = longest()
    return share >= 0 && Int(queues[share].count) >= count / 8 ? Int(queues[share].last) : nil
  }

  /// The share of which most wait; -1: nothing waits.
  private func longest() -> Int {
    var longest = -1
    var share = Int(firstShare)
    while share >= 0 {
      if queues[share].count > (longest < 0 ? 0 : queues[longest].count) { longest = share }
      share = Int(queues[share].next)
    }
    return longest
  }

  /// Takes the datagram of a share that has waited longest, and returns its buffer. The share must have one.
  @inline(__always) private mutating func takeFirst(of share: Int) -> Int {
    let buffer = Int(queues[share].first)
    queues[share].first = datagrams[buffer].next
    queues[share].count &-= 1
    count &-= 1
    return buffer
  }
}
