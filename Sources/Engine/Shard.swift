import Cache
import Memory
import Upstream
import Wire

/// What one shard may hold.
enum ShardLimits {
  /// Questions pending at one shard, and clients that wait for them.
  static let questions = 4096
  static let waiters = 16_384
  /// From so many of them on, one client has no more than its part.
  static let manyQuestions = questions / 2
  static let questionsOfOne = questions / 4
  static let manyWaiters = waiters / 4 * 3
  static let waitersOfOne = waiters / 2
  /// Questions beyond it are for names of the cluster, if the Corefile tells them from others.
  static let externalQuestions = questions / 4 * 3
  /// Datagrams answered in one turn, and messages of streams.
  static let datagramsOfTurn = 64
  static let framesOfTurn = 64
  /// Datagrams on their way out that are not in a receive buffer.
  static let datagrams = 4096
  static let datagramSize = 2048
  /// Nanoseconds from a query's arrival to its answer, whatever happens.
  static let budget: UInt64 = 3_900_000_000
  /// Between looks at deadlines, while anything has one; and while there are only idle connections.
  static let tick: UInt64 = 10_000_000
  static let idleTick: UInt64 = 500_000_000
  /// Of 20 questions one may be asked elsewhere early; so many are saved up.
  static let hedgePrice = 20
  static let hedgesSaved = 16
  /// Between probes of an upstream, nanoseconds for each shard there is; and octets that one takes at most.
  static let probePause: UInt64 = 100_000_000
  static let probeSize = Header.length + Name.maxLength + 4 + EDNS.fixedLength + EDNS.maxPadding
  /// Seconds that a failure of our own is kept (RFC 9520 §3.2).
  static let failureTTL: UInt32 = 1
  /// Nanoseconds that a client waits before it gets an expired answer (RFC 8767 §5).
  static let staleWait: UInt64 = 1_800_000_000
  /// Milliseconds in which an answer is not asked for anew: after it was, after that failed, and after it took too long.
  static let refreshPause: UInt64 = 1000
  static let failurePause: UInt64 = 1000
  static let latePause: UInt64 = 2500
}

/// One thread's share of the work: a ring, a socket per listener, a cache segment that only it writes, connections to
/// upstreams. Owned by the thread's stack; `turn` is called until the process ends.
public struct Shard<R: Ring & ~Copyable>: ~Copyable {
  var ring: R
  let index: Int
  let shards: Int
  let fabric: Fabric
  let secret: HashSecret
  let counters: Counters
  let events: ByteQueue
  let freshness: Freshness
  var tables: Tables
  var segment: Segment
  var readers: Readers
  /// From each shard, and last from the same one of the fabric before.
  let inboxes: Table<ByteQueue>
  let outboxes: Table<ByteQueue>

  var questions: Questions
  var pool: Pool
  /// Questions sent that pay for others to be asked elsewhere early.
  var hedgeCredit = 0
  /// By pending question: what is asked in its place, and what follows. Only of chains with a resolver.
  var errands: [Int: Errand] = [:]
  var waiters: Slab<Waiter>
  /// How many of them are of clients whose addresses have this share.
  var waiting: Table<UInt16>
  let waiterOptions: Region
  var images = ImageWriter()
  /// Sockets, buffers and operations of the connections in `pool`, by the same index.
  var links: Slab<UpstreamLink>
  let upstreamInput: Region
  let upstreamOutput: Region
  /// By upstream, and by connection: of those that are asked over TLS.
  let tlsClients: [(any TLSClient)?]
  var tlsSessions: [(any TLSSession)?]
  let marks: Links
  var markedLinks = IndexList()

  var streams: Slab<Stream>
  let streamInput: Region
  let streamSmallOutput: Region
  var streamOutputs: Slab<UInt8>
  let streamOutput: Region
  let streamMarks: Links
  var markedStreams = IndexList()
  let readyMarks: Links
  var readyStreams = IndexList()
  /// Of the stream or connection that was made last. It starts anywhere: another shard may still have answers for a
  /// stream of the shard that this one is in place of (`surrender`).
  var generation: UInt32

  /// Of each datagram on its way: the upstream connection it goes out on, or -1.
  var datagrams: Slab<Int>
  let datagramMemory: Region

  /// Listeners whose receive or accept failed, and would fail again if it were armed again at once.
  let receivePauses: Links
  var pausedReceives = IndexList()
  let acceptPauses: Links
  var pausedAccepts = IndexList()
  /// Nanoseconds: they are armed again then.
  var acceptsAt: UInt64 = 0
  /// Receive buffers were given back: those of replies by the next turn, for then they are sent.
  var hasBuffers = false

  var backlog: Backlog
  /// More comes by datagram than can be answered.
  var isOverrun = false
  var throttle = Throttle()
  /// Queries by datagram that are answered together, and their names, folded, 256 bytes each.
  var batch: Table<Admitted>
  let batchNames = Region(size: Admitted.batch * 256)
  var admitted = 0

  /// Nanoseconds: the clock as read at this turn's start.
  var now: UInt64 = 0
  /// The same in milliseconds: the cache's time.
  var milliseconds: UInt64 = 0
  var tickAt: UInt64 = 0
  var toWake: UInt64 = 0  // bit per shard
  /// Bit per shard to which letters went that it may not have read: a wake can be lost.
  var unread: UInt64 = 0
  var hasEvents = false

  var leaving: Leaving?
  /// Its last turn is over: another fabric's shard does its work.
  public internal(set) var hasEnded = false

  let folded = Region(size: 512)
  let found = Region(size: 80 << 10)
  let options = Region(size: 4096)
  let scratch = Region(size: 66 << 10)

  public init(index: Int, fabric: Fabric, ring: consuming R) {
    self.init(index: index, fabric: fabric, ring: ring, segment: fabric.cache(index))
  }

  /// `segment` is one that a shard of the same index left.
  public init(index: Int, fabric: Fabric, ring: consuming R, segment: consuming Segment) {
    var ring = ring
    generation = UInt32(truncatingIfNeeded: ring.random())
    self.ring = ring
    self.index = index
    self.fabric = fabric
    shards = fabric.shards
    secret = fabric.secret
    counters = fabric.counters(index)
    events = fabric.eventQueue(index)
    freshness = fabric.freshness
    tables = Tables(fabric.settings)
    self.segment = segment
    let all = 0..<fabric.shards
    readers = Readers(all.map { SegmentReader(fabric.layout, memory: fabric.segment($0)) })
    inboxes = Table((0...fabric.shards).map { fabric.mailbox(from: $0, to: index) })
    outboxes = Table(all.map { fabric.mailbox(from: index, to: $0) })
    questions = Questions(capacity: ShardLimits.questions)
    var maxFailures = fabric.settings.upstreams.map { _ in UInt32(0) }
    for forward in fabric.settings.chains.flatMap(\.forwards) {
      for upstream in forward.upstreams { maxFailures[upstream] = forward.maxFails }
    }
    pool = Pool(maxFailures: maxFailures, shards: fabric.shards, questions: ShardLimits.questions)
    waiters = Slab(capacity: ShardLimits.waiters)
    waiting = Table([UInt16](repeating: 0, count: Self.shares))
    waiterOptions = Region(size: ShardLimits.waiters * Waiter.maxOptions)
    let connections = pool.connections.capacity
    links = Slab(capacity: connections)
    upstreamInput = Region(size: connections * UpstreamLink.inputSize)
    upstreamOutput = Region(size: connections * UpstreamLink.outputSize)
    tlsClients = fabric.settings.upstreams.map { $0.tls?() }
    tlsSessions = Array(repeating: nil, count: connections)
    backlog = Backlog(buffers: self.ring.receiveBuffers, shares: Self.shares)
    batch = Table(uninitialized: Admitted.batch)
    marks = Links(capacity: connections)
    let places = Stream.Limits.count + Stream.Limits.spare
    streams = Slab(capacity: places)
    streamInput = Region(size: places * Stream.Limits.input)
    streamSmallOutput = Region(size: places * Stream.Limits.smallOutput)
    streamOutputs = Slab(capacity: Stream.Limits.outputs)
    streamOutput = Region(size: Stream.Limits.outputs * Stream.Limits.output)
    streamMarks = Links(capacity: places)
    readyMarks = Links(capacity: places)
    datagrams = Slab(capacity: ShardLimits.datagrams)
    datagramMemory = Region(size: ShardLimits.datagrams * ShardLimits.datagramSize)
    receivePauses = Links(capacity: max(1, fabric.settings.listeners.count))
    acceptPauses = Links(capacity: max(1, fabric.settings.listeners.count))
    for upstream in fabric.settings.upstreams.indices { counters.setUp(upstream: upstream, true) }
    for listener in fabric.settings.listeners.indices {
      self.ring.receive(on: listener)
      self.ring.accept(on: listener)
    }
  }

  /// Waits for completions, acts on each, and leaves what follows from them for the next turn to submit: one system
  /// call carries all replies, upstream frames and re-arms.
  public mutating func turn() {
    let count = ring.turn(timeout: timeout())
    counters.add(.turns)
    now = ring.now()
    milliseconds = now / 1_000_000
    if hasBuffers { resumeReceives() }
    var i = 0
    while i < count {
      complete(ring.completion(i))
      i &+= 1
    }
    answerDatagrams()
    serveStreams()
    if now >= tickAt { tick() }
    flush()
  }

  @inline(__always) private mutating func complete(_ completion: Completion) {
    switch completion.token.operation {
    case .receive: received(completion)
    case .send: sent(completion)
    case .accept: accepted(completion)
    case .streamRead: streamRead(completion)
    case .streamWrite: streamWritten(completion)
    case .connect: connected(completion)
    case .upstreamRead: upstreamRead(completion)
    case .upstreamWrite: upstreamWritten(completion)
    case .upstreamSend: datagramSent(completion)
    case .mail:
      collectMail()
      heedOrders()
    case .reply: counters.add(.droppedNotSent)
    case .none: break
    }
  }

  /// What this turn gathered, as one operation per stream, connection and shard.
  private mutating func flush() {
    flushLinks()
    flushStreams()
    if leaving != nil { leave() }
    counters.set(.pending, questions.count)
    counters.set(.unread, backlog.count &+ readyStreams.count)
    counters.set(.oldest, Int(truncatingIfNeeded: oldestAge / 1_000_000))
    if toWake != 0 { wakeShards() }
    if hasEvents {
      hasEvents = false
      ring.signalEvents()
    }
  }

  private mutating func wakeShards() {
    unread |= toWake & ~(1 << UInt64(index))
    if unread != 0 { tickAt = min(tickAt, now &+ ShardLimits.tick) }
    while toWake != 0 {
      let other = toWake.trailingZeroBitCount
      toWake &= toWake &- 1
      ring.wake(other)
    }
  }
}
