import CSocket
import CUring
import Memory
import Wire

/// One thread of a load: a ring, its sockets, and what is out on them.
///
/// Turns of one system call each: send what is due, submit and wait, take what came. A `curing` lives on the heap from
/// `init` to `deinit`, and only the thread that made the client touches it, so every use of its pointer is sound.
@safe struct Client: ~Copyable {
  /// Submission entries.
  private static let entries: UInt32 = 4096
  private static let buffers: UInt32 = 1024
  /// An answer over UDP is at most what -e offers.
  private static let bufferSize: UInt32 = 4096
  /// An open loop sleeps until this many nanoseconds before an instant, as timers fire up to 50 µs late, then polls.
  private static let spin: UInt64 = 80_000
  /// A closed loop with this many queries out waits for an eighth of the answers, or 50 µs, so that the next queries leave
  /// together. One core then spends 2.6 µs on a query to the do-nothing responder in place of 3.5, and asks a tenth more
  /// (medians of four runs of a second, taken in turn).
  private static let many = 32
  private static let gatherShare = 8
  private static let gatherTime: UInt64 = 50_000
  /// The longest sleep: how soon an order to stop is seen.
  private static let nap: UInt64 = 50_000_000
  /// Queries between two looks at what came.
  private static let burst = 1024
  /// Lookups in a row on one socket.
  private static let turns = 16

  let thread: Int
  let plan: Plan
  let catalogue: Catalogue
  let control: Control
  let c: UnsafeMutablePointer<curing>
  /// Sockets of this thread, and how many the threads before it have.
  let sockets: Int
  let firstSocket: Int
  var descriptors: [Int32] = []
  var streams: [Stream] = []
  /// Connections with frames to write at the end of the turn, and those to be opened again.
  var gathering: [Int] = []
  var closed: [Int] = []
  var outbox: Outbox
  var slots: Slots
  var lookups = Lookups()
  var tally = Tally()
  /// Why the run cannot go on.
  var failure: LoadError?
  /// The last error of a socket that did not end the run, and how many there were.
  var lastError: Int32 = 0
  var errors = 0

  private var seen: UInt32 = 0
  private var random: RandomSource
  private var lookupsLeft: Int
  private var nextEntry: Int
  private var nextSocket = 0
  private var turnsLeft = 0
  private var isBlocked = false

  /// Opens ring and sockets on the thread that will use them. Throws what the kernel refused.
  init(thread: Int, plan: Plan, control: Control) throws(LoadError) {
    self.thread = thread
    self.plan = plan
    self.control = control
    catalogue = plan.catalogue
    sockets = plan.share(plan.sockets, of: thread)
    firstSocket = (0..<thread).reduce(0) { $0 + plan.share(plan.sockets, of: $1) }
    random = RandomSource(seed: plan.seed &+ UInt64(thread) &* 0xD134_2543_DE82_EF95)
    lookupsLeft = plan.lookups.map { plan.share($0, of: thread) } ?? Int.max
    nextEntry = thread % catalogue.count
    slots = Slots(sockets: sockets, perSocket: plan.slotsPerSocket(sockets), random: &random)
    unsafe c = curing_new()
    outbox = unsafe Outbox(c)
    let result = unsafe curing_open(c, Self.entries, Self.buffers, Self.bufferSize)
    guard result == 0 else {
      throw LoadError(
        "io_uring_setup: \(reason(-result)); expected a kernel of 6.1 or later that allows it (sysctl kernel.io_uring_disabled, seccomp)"
      )
    }
    try openSockets()
  }

  deinit {
    for descriptor in descriptors { close(descriptor) }
    for stream in streams where stream.descriptor >= 0 { close(stream.descriptor) }
    unsafe curing_close(c)
    unsafe curing_delete(c)
  }

  /// Until the load is done, or an order to stop.
  mutating func run() {
    let start = csocket_boottime()
    let deadline = plan.limit.map { start + $0 } ?? UInt64.max
    var schedule = Schedule(plan, thread: thread, start: start, random: &random)
    var isSending = true
    tally.start = start
    while true {
      var now = csocket_boottime()
      expire(now)
      if isSending {
        reconnect(now)
        send(by: &schedule, now: now, deadline: deadline)
        if schedule.isOver(now, deadline) || lookupsLeft == 0 && lookups.isEmpty {
          isSending = false
          tally.end = max(tally.end, min(now, deadline))
          if now > deadline { tally.overrun = now - deadline }
        }
      }
      control.publish(tally, of: thread)
      if control.order == .stop || failure != nil {
        interrupt()
        tally.end = max(tally.end, now)
        return
      }
      if !isSending, slots.outstanding == 0 { return }
      turnsLeft = 0
      flush()
      outbox.endTurn()
      wait(until: wakeTime(schedule, isSending: isSending, deadline: deadline), now: now)
      now = csocket_boottime()
      for index in 0..<seen { complete(index, now) }
    }
  }

  // MARK: Sending

  private mutating func send(by schedule: inout Schedule, now: UInt64, deadline: UInt64) {
    isBlocked = false
    var asked = 0
    let step = catalogue.typesPerLookup
    while asked < Self.burst,
      let since = schedule.due(now, deadline, sent: tally.sent, out: slots.outstanding, step)
    {
      guard ask(since) else {
        isBlocked = lookupsLeft > 0 || lookups.dueCount > 0
        return
      }
      schedule.advance()
      asked &+= step
    }
  }

  /// Sends the next step of a lookup that is due, or the first of a new one. False: no socket can, or nothing is left.
  private mutating func ask(_ since: UInt64) -> Bool {
    if lookups.dueCount > 0 {
      let lookup = lookups.popDue()
      if canSend(Int(lookups[lookup].socket)) {
        askStep(lookup, since)
        return true
      }
      lookups.pushDue(lookup)
    }
    guard lookupsLeft > 0, !lookups.isFull, let socket = freeSocket() else { return false }
    lookupsLeft &-= 1
    let entry = pickEntry()
    if catalogue.steps(entry) > 1 {
      askStep(lookups.begin(entry, socket: socket), since)
      return true
    }
    var number = 0
    while number < catalogue.typesPerLookup {
      let type = catalogue.type(entry, number)
      send(Question(entry: UInt32(truncatingIfNeeded: entry), suffix: 0, type: UInt8(type)), socket, -1, since)
      number &+= 1
    }
    return true
  }

  private mutating func askStep(_ index: Int, _ since: UInt64) {
    var lookup = lookups[index]
    lookup.left = UInt8(catalogue.typesPerLookup)
    lookup.isPositive = false
    lookups[index] = lookup
    let (entry, socket) = (Int(lookup.entry), Int(lookup.socket))
    let suffix = catalogue.suffix(entry, step: Int(lookup.step), socket: firstSocket + socket)
    for number in 0..<catalogue.typesPerLookup {
      let type = catalogue.type(entry, number)
      send(Question(entry: lookup.entry, suffix: UInt8(suffix), type: UInt8(type)), socket, index, since)
    }
  }

  @inline(__always) private mutating func pickEntry() -> Int {
    if let popularity = plan.popularity { return popularity.draw(&random) }
    let entry = nextEntry
    nextEntry &+= plan.threads
    while nextEntry >= catalogue.count { nextEntry &-= catalogue.count }
    return entry
  }

  /// The next socket in turn that can take a lookup. One that asks a single question at a time keeps its turn for a few,
  /// so that they leave together.
  @inline(__always) private mutating func freeSocket() -> Int? {
    turnsLeft &-= 1
    if turnsLeft > 0, canSend(nextSocket) { return nextSocket }
    for _ in 0..<sockets {
      nextSocket = nextSocket &+ 1 == sockets ? 0 : nextSocket &+ 1
      turnsLeft = catalogue.typesPerLookup > 1 ? 1 : Self.turns
      if canSend(nextSocket) { return nextSocket }
    }
    return nil
  }

  @inline(__always) private func canSend(_ socket: Int) -> Bool {
    guard slots.free(socket) >= catalogue.typesPerLookup else { return false }
    return plan.transport == .udp && outbox.hasRoom
      || plan.transport == .tcp && streams[socket].state == .open && streams[socket].hasRoom
  }

  @inline(__always)
  private mutating func send(_ question: Question, _ socket: Int, _ lookup: Int, _ since: UInt64) {
    let index = slots.take(socket, since: since, question: question, lookup: lookup)
    let length =
      switch plan.transport {
      case .udp: sendDatagram(index, socket)
      case .tcp: gather(index, socket)
      }
    tally.sent &+= 1
    tally.requestBytes &+= length
  }

  @inline(__always) private mutating func sendDatagram(_ index: Int, _ socket: Int) -> Int {
    let length = catalogue.write(slots[index].question, id: slots[index].id, to: outbox.room(for: socket))
    outbox.append(length)
    return length
  }

  // MARK: Waiting

  private func wakeTime(_ schedule: Schedule, isSending: Bool, deadline: UInt64) -> UInt64 {
    var wake = slots.oldest >= 0 ? slots[slots.oldest].since + plan.timeout : UInt64.max
    guard isSending else { return wake }
    wake = min(wake, deadline)
    guard lookupsLeft > 0 || lookups.dueCount > 0 else { return wake }
    if let next = schedule.next(sent: tally.sent, out: slots.outstanding, catalogue.typesPerLookup) {
      wake = min(wake, next)
    }
    return wake
  }

  private mutating func wait(until wake: UInt64, now: UInt64) {
    // A blocked socket is free again after an answer, or soon.
    let wake = isBlocked ? max(wake, now + 1_000_000) : wake
    let left = Int64(clamping: min(wake, now + Self.nap)) - Int64(clamping: now)
    if plan.isClosed, slots.outstanding >= Self.many, left > Int64(Self.gatherTime) {
      seen = unsafe curing_gather(c, seen, UInt32(slots.outstanding / Self.gatherShare), Int64(Self.gatherTime))
      if seen > 0 { return }
    }
    seen =
      left < Int64(Self.spin)
      ? unsafe curing_poll(c, seen) : unsafe curing_turn(c, seen, left - Int64(Self.spin) / 2)
  }
}
