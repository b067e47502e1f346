import Memory

/// Datagrams that have been received and wait for their turn: a queue for each share of clients (`Shard.share`), and the
/// queues are served round and round. So a client that asks faster than there is time to answer waits behind itself, and
/// the others do not wait behind it (stochastic fairness queueing, McKenney 1990).
///
/// The datagrams stay in their receive buffers, which bound it.
package struct Backlog: ~Copyable {
  package struct Waiting: BitwiseCopyable {
    let datagram: Datagram
    let listener: Int
    package let share: Int

    package init(datagram: Datagram, listener: Int, share: Int) {
      self.datagram = datagram
      self.listener = listener
      self.share = share
    }
  }

  /// Datagrams of one queue that are served in a row: a resolver's A and AAAA stay together, and leave as a pair.
  private static let visit = 4

  /// By receive buffer.
  private var datagrams: Table<Waiting>
  private let links: Links
  /// By share of clients; those that are not empty, in the order of their turns.
  private var queues: Table<IndexList>
  private let neighbours: Links
  private var round = IndexList()
  private var served = 0
  package private(set) var count = 0
  let capacity: Int

  package init(buffers: Int, shares: Int) {
    capacity = buffers
    datagrams = Table(uninitialized: buffers)
    links = Links(capacity: buffers)
    queues = Table([IndexList](repeating: IndexList(), count: shares))
    neighbours = Links(capacity: shares)
  }

  package var isEmpty: Bool { count == 0 }

  /// What waits, or waited until it was taken, in a buffer.
  @inline(__always) package func waiting(in buffer: Int) -> Waiting { datagrams[buffer] }

  @inline(__always) package mutating func append(_ waiting: Waiting, in buffer: Int) {
    datagrams[buffer] = waiting
    if queues[waiting.share].count == 0 { neighbours.append(waiting.share, to: &round) }
    links.append(buffer, to: &queues[waiting.share])
    count &+= 1
  }

  /// Takes the datagram whose turn it is, and returns its buffer; -1: none waits.
  @inline(__always) package mutating func next() -> Int {
    let share = round.first
    guard share >= 0 else { return -1 }
    let buffer = takeFirst(of: share)
    served &+= 1
    if queues[share].count == 0 {
      served = 0
    } else if served == Self.visit {
      served = 0
      if round.count > 1 {
        neighbours.remove(share, from: &round)
        neighbours.append(share, to: &round)
      }
    }
    return buffer
  }

  /// The share of which most wait.
  package func longest() -> Int {
    var longest = round.first
    var share = longest
    while share >= 0 {
      if queues[share].count > queues[longest].count { longest = share }
      share = neighbours.next(share)
    }
    return longest
  }

  package func count(of share: Int) -> Int { queues[share].count }

  /// Takes the datagram of a share that has waited longest, and returns its buffer.
  @inline(__always) package mutating func takeFirst(of share: Int) -> Int {
    let buffer = queues[share].first
    links.remove(buffer, from: &queues[share])
    if queues[share].count == 0 { neighbours.remove(share, from: &round) }
    count &-= 1
    return buffer
  }
}
