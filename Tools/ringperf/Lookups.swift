import Memory

/// A name on its way through the search path.
struct Lookup: BitwiseCopyable {
  var entry: UInt32
  /// The pod's source socket, of its thread.
  var socket: UInt32
  var step: UInt8 = 0
  /// Questions of this step that are still out.
  var left: UInt8 = 0
  /// An answer of this step had records.
  var isPositive = false
  /// A question of this step timed out.
  var isLost = false
}

/// The lookups of one thread, and those of them whose next step is due, in order.
struct Lookups: ~Copyable {
  /// Of a thread, in an open loop towards a server that answers late.
  static let capacity = 1 << 20

  private var slab = Slab<Lookup>(capacity: Lookups.capacity)
  private let due = Region(size: Lookups.capacity * 4)
  private var head = 0
  private(set) var dueCount = 0

  init() {}

  var isEmpty: Bool { slab.count == 0 }
  var isFull: Bool { slab.count == Self.capacity }

  subscript(index: Int) -> Lookup {
    get { slab[index] }
    set { slab[index] = newValue }
  }

  /// A new lookup; there is room for one.
  mutating func begin(_ entry: Int, socket: Int) -> Int {
    slab.take(Lookup(entry: UInt32(entry), socket: UInt32(socket)))!
  }

  mutating func end(_ index: Int) { slab.give(index) }

  mutating func pushDue(_ index: Int) {
    due.bytes.set(u32: UInt32(index), at: ((head + dueCount) & (Self.capacity - 1)) * 4)
    dueCount += 1
  }

  mutating func popDue() -> Int {
    let index = Int(due.bytes.u32(head * 4))
    head = (head + 1) & (Self.capacity - 1)
    dueCount -= 1
    return index
  }
}
