import CUring
import Memory
import Wire

/// One thread of a load: a ring, its sockets, and what is out on them.
///
/// Turns of one system call each: send what is due, submit and wait, take what came. A `curing` lives on the heap from
/// `init` to `deinit`, and only the thread that made the client touches it, so every use of its pointer is sound.
@safe struct Client: ~Copyable {
  /// Submission entries; each has a place in the arena for the message it sends.
  static let entries = 4096
  private static let buffers: UInt32 = 1024
  /// An answer over UDP is at most what -e offers.
  private static let bufferSize: UInt32 = 4096
  /// An open loop sleeps until this many nanoseconds before an instant, as timers fire up to 50 µs late, then polls.
  private static let spin: UInt64 = 80_000
  /// The longest sleep: how soon an order to stop is seen.
  private static let nap: UInt64 = 50_000_000
  /// Queries between two looks at what came.
  private static let burst = 1024

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
  let arena = Region(size: Client.entries * 320)
  var arenaNext = 0
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
    let result = unsafe curing_open(c, UInt32(Self.entries), Self.buffers, Self.bufferSize)
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
    let start = curing_boottime()
    let deadline = plan.limit.map { start + $0 } ?? UInt64.max
    var schedule = Schedule(plan, thread: thread, start: start, random: &random)
    var isSending = true
    tally.start = start
    while true {
      var now = curing_boottime()
      expire(now)
      if isSending {
        reconnect(now)
        send(by: &schedule, now: now, deadline: deadline)
        if schedule.isOver(now, deadline) || lookupsLeft == 0 && lookups.isEmpty {
          isSending = false
          tally.end = max(tally.end, min(now, deadline))
        }
      }
      control.publish(tally, of: thread)
      if control.order == .stop || failure != nil {
        tally.interrupted = slots.outstanding
        tally.end = max(tally.end, now)
        return
      }
      if !isSending, slots.outstanding == 0 { return }
      flush()
      wait(until: wakeTime(schedule, isSending: isSending, deadline: deadline), now: now)
      now = curing_boottime()
      for index in 0..<seen { complete(index, now) }
    }
  }

  // MARK: Sending

  private mutating func send(by schedule: inout Schedule, now: UInt64, deadline: UInt64) {
    isBlocked = false
    var asked = 0
    let step = catalogue.typesPerLookup
    while asked < Self.burst, let since = schedule.due(now, deadline, sent: tally.sent, out: slots.outstanding, step) {
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

  @inline(__always) private mutating func freeSocket() -> Int? {
    for _ in 0..<sockets {
      let socket = nextSocket
      nextSocket = socket &+ 1 == sockets ? 0 : socket &+ 1
      if canSend(socket) { return socket }
    }
    return nil
  }

  @inline(__always) private func canSend(_ socket: Int) -> Bool {
    guard slots.free(socket) >= catalogue.typesPerLookup else { return false }
    return plan.transport == .udp || streams[socket].state == .open && streams[socket].hasRoom
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

  @inline(__always) mutating func sendDatagram(_ index: Int, _ socket: Int) -> Int {
    let out = arena.bytes.slice(arenaNext &* 320, 320)
    arenaNext = (arenaNext &+ 1) & (Self.entries &- 1)
    let length = catalogue.write(slots[index].question, id: slots[index].id, to: out)
    unsafe curing_send_connected(
      c, Int32(truncatingIfNeeded: socket), out.address, length, Token(.send, index, generation: 0).raw)
    return length
  }

  // MARK: Waiting

  private func wakeTime(_ schedule: Schedule, isSending: Bool, deadline: UInt64) -> UInt64 {
    var wake = slots.oldest >= 0 ? slots[slots.oldest].since + plan.timeout : UInt64.max
    guard isSending else { return wake }
    wake = min(wake, deadline)
    if let next = schedule.next(sent: tally.sent, out: slots.outstanding, catalogue.typesPerLookup) {
      wake = min(wake, next)
    }
    return wake
  }

  private mutating func wait(until wake: UInt64, now: UInt64) {
    // A blocked socket is free again after an answer, or soon.
    let wake = isBlocked ? max(wake, now + 1_000_000) : wake
    let left = Int64(clamping: min(wake, now + Self.nap)) - Int64(clamping: now)
    seen =
      left < Int64(Self.spin)
      ? unsafe curing_poll(c, seen) : unsafe curing_turn(c, seen, left - Int64(Self.spin) / 2)
  }

  private mutating func expire(_ now: UInt64) {
    while case let index = slots.oldest, index >= 0, slots[index].since + plan.timeout <= now {
      let slot = slots[index]
      slots.settle(index, as: .expired)
      tally.lost += 1
      if plan.isVerbose { print("> T \(catalogue.text(slot.question))") }
      if slot.lookup >= 0 {
        lookups[Int(slot.lookup)].isLost = true
        advance(Int(slot.lookup))
      }
    }
  }

  // MARK: Answers

  /// What a message on `socket` means.
  @inline(__always) mutating func receive(_ message: Bytes, on socket: Int, _ now: UInt64) {
    if plan.expectations != nil { tally.checked += 1 }
    guard message.count >= Header.length else { return wrong(.malformed) }
    guard let index = slots.find(socket, id: message.id) else { return wrong(.unknownID) }
    let slot = slots[index]
    guard slot.state == .outstanding else {
      slots[index].state = .free
      tally.late += 1
      return
    }
    if let expectations = plan.expectations {
      guard message.flags & Header.qr != 0 else { return wrong(.notAResponse) }
      guard catalogue.isQuestion(slot.question, of: message) else { return wrong(.otherQuestion) }
      if let wrongness = expectations.check(message, slot.question, of: catalogue) {
        wrong(wrongness)
        if wrongness == .malformed { return }
      }
    }
    slots.settle(index, as: .free)
    let rcode = Int(message.flags & Header.rcodeMask)
    let latency = now &- min(slot.since, now)
    tally.answered(after: latency, rcode: rcode, bytes: message.count)
    tally.end = now
    if plan.isVerbose { report(slot.question, rcode, latency) }
    if slot.lookup >= 0 {
      if rcode == 0, message.answerCount > 0 { lookups[Int(slot.lookup)].isPositive = true }
      advance(Int(slot.lookup))
    }
  }

  /// dnsperf's line for -v.
  private func report(_ question: Question, _ rcode: Int, _ latency: UInt64) {
    print("> \(rcodeName(rcode)) \(catalogue.text(question)) \(seconds(latency))")
  }

  private mutating func wrong(_ kind: Wrongness) { tally.wrong[kind.rawValue] += 1 }

  /// A question of a lookup's step is settled: after the last one the lookup ends, or its next step is due.
  private mutating func advance(_ index: Int) {
    var lookup = lookups[index]
    lookup.left -= 1
    let isLast = lookup.step + 1 == UInt8(catalogue.steps(Int(lookup.entry)))
    if lookup.left == 0, lookup.isPositive || lookup.isLost || isLast {
      lookups.end(index)
      return
    }
    if lookup.left == 0 { lookup.step += 1 }
    lookups[index] = lookup
    if lookup.left == 0 { lookups.pushDue(index) }
  }
}
