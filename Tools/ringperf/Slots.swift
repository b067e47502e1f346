import Memory

/// A query that was sent: what its answer will be compared with.
struct Slot: BitwiseCopyable {
  enum State: UInt8 {
    case free, outstanding
    /// Timed out, and its id not used since: an answer now is late rather than wrong.
    case expired
  }

  /// Nanoseconds: when it left, or, in an open loop, when it should have.
  var since: UInt64 = 0
  var question = Question(entry: 0, suffix: 0, type: 0)
  /// Index of the lookup it belongs to; -1: none waits for it.
  var lookup: Int32 = -1
  var id: UInt16 = 0
  var state = State.free
}

/// The outstanding queries of one thread, by socket and id, and in the order in which they time out.
///
/// Each socket has a power of two of slots. Its n-th query has n times an odd constant as id, modulo 2^16; times the
/// constant's inverse, that gives n back, and n modulo the slots is the place. So ids look random, no id is used again
/// before its slot is, and neighbours in time are neighbours in memory.
struct Slots: ~Copyable {
  static let maxPerSocket = 65_536
  private static let factor: UInt16 = 0x9E37
  private let inverse: UInt16
  private let shift: Int
  private let perSocket: Int
  private let slots: Region
  private let sent: Region  // per socket: queries so far, 32 bits; outstanding, 32 bits
  private var ages: Links
  private var inOrder = IndexList()

  var outstanding: Int { inOrder.count }

  init(sockets: Int, perSocket: Int, random: inout RandomSource) {
    precondition(perSocket.nonzeroBitCount == 1 && perSocket <= Self.maxPerSocket)
    self.perSocket = perSocket
    shift = perSocket.trailingZeroBitCount
    // Newton's iteration doubles the right bits: 3, 6, 12, 24.
    var inverse = Self.factor
    for _ in 0..<3 { inverse &*= 2 &- Self.factor &* inverse }
    self.inverse = inverse
    slots = Region(size: sockets * perSocket * MemoryLayout<Slot>.stride)
    sent = Region(size: sockets * 8)
    ages = Links(capacity: sockets * perSocket)
    for socket in 0..<sockets { sent.bytes.set(u32: UInt32(truncatingIfNeeded: random.next()), at: socket * 8) }
  }

  subscript(index: Int) -> Slot {
    @inline(__always) get { slots.bytes.load(Slot.self, at: index &* MemoryLayout<Slot>.stride) }
    @inline(__always) nonmutating set { slots.bytes.store(newValue, at: index &* MemoryLayout<Slot>.stride) }
  }

  @inline(__always) func socket(of index: Int) -> Int { index >> shift }

  /// How many more queries `socket` has ids for.
  @inline(__always) func free(_ socket: Int) -> Int { perSocket &- Int(sent.bytes.u32(socket &* 8 &+ 4)) }

  /// A place for a query on `socket`, which has one free; with its id set, the rest for the caller to set.
  @inline(__always) mutating func take(_ socket: Int, since: UInt64, question: Question, lookup: Int) -> Int {
    precondition(free(socket) > 0)
    var number = sent.bytes.u32(socket &* 8)
    var index = place(socket, number)
    while self[index].state == .outstanding {
      number &+= 1
      index = place(socket, number)
    }
    sent.bytes.set(u32: number &+ 1, at: socket &* 8)
    sent.bytes.set(u32: sent.bytes.u32(socket &* 8 &+ 4) &+ 1, at: socket &* 8 &+ 4)
    self[index] = Slot(
      since: since, question: question, lookup: Int32(truncatingIfNeeded: lookup),
      id: UInt16(truncatingIfNeeded: number) &* Self.factor, state: .outstanding)
    ages.append(index, to: &inOrder)
    return index
  }

  @inline(__always) private func place(_ socket: Int, _ number: UInt32) -> Int {
    socket &* perSocket &+ Int(number) & (perSocket &- 1)
  }

  /// The place that a query of `socket` with this id has or had; nil if there is none.
  @inline(__always) func find(_ socket: Int, id: UInt16) -> Int? {
    let index = place(socket, UInt32(id &* inverse))
    let slot = self[index]
    return slot.state != .free && slot.id == id ? index : nil
  }

  /// An outstanding query is answered, or given up.
  @inline(__always) mutating func settle(_ index: Int, as state: Slot.State) {
    ages.remove(index, from: &inOrder)
    self[index].state = state
    let at = socket(of: index) &* 8 &+ 4
    sent.bytes.set(u32: sent.bytes.u32(at) &- 1, at: at)
  }

  /// The query that has been out the longest, or -1.
  var oldest: Int { inOrder.first }
}
