import Memory

/// What makes two pending questions one: everything an upstream's answer depends on.
public struct QuestionKey {
  /// Keyed hash of all that follows.
  public let hash: UInt64
  /// Wire format, folded.
  public let name: Bytes
  public let type: UInt16
  public let recordClass: UInt16
  public let dnssecOK: Bool
  public let checkingDisabled: Bool
  /// Index of the zone that decides which upstreams are asked.
  public let zone: Int
  public let transport: Transport
  /// What else tells equal questions apart: the cache key's group.
  public let group: UInt16

  public init(
    hash: UInt64, name: Bytes, type: UInt16, recordClass: UInt16, dnssecOK: Bool, checkingDisabled: Bool, zone: Int,
    transport: Transport, group: UInt16
  ) {
    self.hash = hash
    self.name = name
    self.type = type
    self.recordClass = recordClass
    self.dnssecOK = dnssecOK
    self.checkingDisabled = checkingDisabled
    self.zone = zone
    self.transport = transport
    self.group = group
  }
}

public enum Transport: UInt8, Sendable, BitwiseCopyable {
  case udp, tcp
}

/// A question somebody waits for an answer to.
public struct Question: BitwiseCopyable, Sendable {
  public let hash: UInt64
  public let nameLength: UInt8
  public let type: UInt16
  public let recordClass: UInt16
  public let dnssecOK: Bool
  public let checkingDisabled: Bool
  public let zone: Int
  /// What makes it equal to others, and what it is sent over: TCP, too, once an answer by datagram was cut off.
  public let transport: Transport
  public var carrier: Transport
  public let group: UInt16
  /// The engine asks something else in its place.
  public var hasErrand = false
  /// Tells this use of the slot from earlier ones.
  public internal(set) var serial: UInt32
  /// Nanoseconds: when the waiters get SERVFAIL; 0 once it was given up, for the engine's `reason`.
  public internal(set) var deadline: UInt64
  public internal(set) var isGivenUp = false
  public internal(set) var reason: UInt8 = 0
  /// Nanoseconds: when it was last sent.
  public internal(set) var askedAt: UInt64 = 0
  /// The connection it was last sent on, or `unsent`, or `waits`.
  public internal(set) var connection = Question.unsent
  static let unsent = -1
  static let waits = -2
  /// Times sent.
  public internal(set) var sends: UInt8 = 0
  /// A connection stood still with this as its oldest question: on a serial server it is what the others waited for.
  public internal(set) var isSuspect = false
  /// It was asked elsewhere before its connection had been silent for long.
  public var isHedged = false
  /// Connections it was on that were refused, and that the upstream closed in peace.
  public var refusals: UInt8 = 0
  public var moves: UInt8 = 0
  /// The engine's index of the forward that asks.
  public var forward = 0
  /// Bit i: the forward's i-th upstream was tried.
  public var tried: UInt16 = 0
  /// The engine's list of who waits.
  public var firstWaiter = -1
  public var lastWaiter = -1
  public var waiters = 0
  /// Nanoseconds: when those who wait get what is cached; 0: never.
  public internal(set) var expectedAt: UInt64 = 0
  var nextInBucket = -1
}

/// Pending questions: equal ones are joined, each has a deadline.
public struct Questions: ~Copyable {
  private var slots: Slab<Question>
  private let names: Region  // 256 per slot
  private let buckets: Region  // 32 bits each: slot + 1
  private let bucketMask: Int
  private let byDeadline: Links
  private var deadlines = IndexList()
  private var givenUp = IndexList()
  private let byExpectation: Links
  private var expectant = IndexList()
  private var serial: UInt32 = 0

  /// At most `capacity` questions at a time; a power of two.
  public init(capacity: Int) {
    slots = Slab(capacity: capacity)
    names = Region(size: capacity * 256)
    buckets = Region(size: capacity * 2 * 4)
    bucketMask = capacity * 2 - 1
    byDeadline = Links(capacity: capacity)
    byExpectation = Links(capacity: capacity)
  }

  public var count: Int { slots.count }

  public subscript(index: Int) -> Question {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(slots.address(index)) }
    @inline(__always) unsafeMutableAddress { unsafe slots.address(index) }
  }

  public func isPending(_ index: Int, serial: UInt32) -> Bool {
    slots.isTaken(index) && slots[index].serial == serial
  }

  /// The name of a pending question, wire format, folded.
  public func name(_ index: Int) -> Bytes { names.bytes.slice(index &* 256, Int(slots[index].nameLength)) }

  private func head(_ hash: UInt64) -> Int { Int(buckets.bytes.u32(bucket(hash))) &- 1 }
  private func bucket(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & bucketMask &* 4 }
  private func setHead(_ hash: UInt64, _ index: Int) {
    buckets.bytes.set(u32: UInt32(truncatingIfNeeded: index &+ 1), at: bucket(hash))
  }

  /// Starts bringing from memory what `find` of a hash, and `remove`, look at first.
  @inline(__always) public func prefetch(_ hash: UInt64) { buckets.bytes.prefetch(bucket(hash)) }

  /// The pending question equal to `key`: all of it is compared, never the hash alone.
  public func find(_ key: QuestionKey) -> Int? {
    var index = head(key.hash)
    while index >= 0 {
      let q = slots[index]
      if q.hash == key.hash, q.type == key.type, q.recordClass == key.recordClass, q.dnssecOK == key.dnssecOK,
        q.checkingDisabled == key.checkingDisabled, q.zone == key.zone, q.transport == key.transport,
        q.group == key.group,
        name(index).equals(key.name)
      {
        return index
      }
      index = q.nextInBucket
    }
    return nil
  }

  /// Adds a question; nil: as many are pending as may be. Deadlines must not decrease from one call to the next.
  public mutating func add(_ key: QuestionKey, deadline: UInt64) -> Int? {
    serial &+= 1
    var question = Question(
      hash: key.hash, nameLength: UInt8(truncatingIfNeeded: key.name.count), type: key.type,
      recordClass: key.recordClass, dnssecOK: key.dnssecOK, checkingDisabled: key.checkingDisabled, zone: key.zone,
      transport: key.transport, carrier: key.transport, group: key.group, serial: serial, deadline: deadline)
    question.nextInBucket = head(key.hash)
    guard let index = slots.take(question) else { return nil }
    names.bytes.copy(key.name, at: index &* 256)
    setHead(key.hash, index)
    byDeadline.append(index, to: &deadlines)
    return index
  }

  /// Another question takes its place, deadline and waiters: it may be sent as often as a new one, and late answers to
  /// what was asked until now are answers to nothing.
  public mutating func restart(_ index: Int) {
    serial &+= 1
    slots[index].serial = serial
    slots[index].sends = 0
    slots[index].isSuspect = false
    slots[index].isHedged = false
    slots[index].refusals = 0
    slots[index].tried = 0
    slots[index].carrier = slots[index].transport
  }

  /// Forgets a question that was answered or given up.
  public mutating func remove(_ index: Int) {
    let hash = slots[index].hash
    let next = slots[index].nextInBucket
    var at = head(hash)
    if at == index {
      setHead(hash, next)
    } else {
      while slots[at].nextInBucket != index { at = slots[at].nextInBucket }
      slots[at].nextInBucket = next
    }
    if slots[index].isGivenUp {
      byDeadline.remove(index, from: &givenUp)
    } else {
      byDeadline.remove(index, from: &deadlines)
    }
    expectNoMore(index)
    slots.give(index)
  }

  /// Those who wait for it get what is cached at a time, in nanoseconds.
  public mutating func expect(_ index: Int, at time: UInt64) {
    expectNoMore(index)
    slots[index].expectedAt = time
    byExpectation.append(index, to: &expectant)
  }

  public mutating func expectNoMore(_ index: Int) {
    guard slots[index].expectedAt > 0 else { return }
    slots[index].expectedAt = 0
    byExpectation.remove(index, from: &expectant)
  }

  /// The questions with such a time, in no order of it; -1 ends them.
  public var firstExpectant: Int { expectant.first }
  public func nextExpectant(after index: Int) -> Int { byExpectation.next(index) }

  /// It is due now, for `reason`, whatever its deadline.
  public mutating func giveUp(_ index: Int, for reason: UInt8) {
    guard !slots[index].isGivenUp else { return }
    slots[index].isGivenUp = true
    slots[index].deadline = 0
    slots[index].reason = reason
    byDeadline.remove(index, from: &deadlines)
    byDeadline.append(index, to: &givenUp)
  }

  /// Nanoseconds: the deadline of the oldest that is not given up.
  public var firstDeadline: UInt64? { deadlines.first < 0 ? nil : slots[deadlines.first].deadline }

  /// The question that was given up first, or whose deadline comes first, or nil.
  public var nextDue: (index: Int, deadline: UInt64)? {
    let first = givenUp.first >= 0 ? givenUp.first : deadlines.first
    return first < 0 ? nil : (first, slots[first].deadline)
  }
}
