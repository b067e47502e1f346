import Corefile
import Engine
import Glibc
import Logging
import Rings
import Sockets
import Synchronization

/// Processes that serve the same addresses of a node one after the other, without a query lost: the new one asks the old
/// one for all that it has (`Estate`), and the old one stands by, in case the new one ends first.
///
/// A process that runs `supervise` gets the estate of its dead predecessor from there instead.
final class Handover: Sendable {
  struct State: Sendable {
    /// Where whoever wants to take over knocks.
    var door: Descriptor?
    /// Who served before this process, and stands by.
    var holder: Line?
    var isStandingBy = false
    var isLeaving = false
  }

  let state = Mutex(State())
  /// To the process that keeps the estate of this one; nil: there is none.
  let keeper: Line?

  /// The environment variable that names the descriptor of the line to the keeper.
  static let variable = "RINGLET_KEEPER"

  init() {
    // The C library's text, read at once.
    let number = unsafe getenv(Self.variable).flatMap { unsafe Int32(String(cString: $0)) }
    // Who runs after this process is no child of the keeper's.
    unsafe unsetenv(Self.variable)
    keeper = number.map { Line(Descriptor($0)) }
    if let keeper { _ = fcntl(keeper.descriptor.number, F_SETFD, FD_CLOEXEC) }
  }

  /// Whoever asks is asked to go to another from now on: this process ends.
  func leave() { state.withLock { $0.isLeaving = true } }

  /// Who stood by when this process began, and still does.
  var hasStandby: Bool {
    guard let holder = state.withLock({ $0.holder }) else { return false }
    var watched = pollfd(fd: holder.descriptor.number, events: Int16(POLLIN), revents: 0)
    // The one element lives through the call. Who stands by says nothing: what is to be read is the end.
    return unsafe poll(&watched, 1, 0) == 0
  }
}

/// What a process begins with.
struct Inheritance {
  let estate: Estate
  /// Who has it, and still serves; nil: nobody.
  let holder: Line?
}

extension NodeCache {
  /// What is there to take over from, for a process that is to serve `configuration`.
  func inheritance(_ configuration: Configuration) -> Inheritance? {
    if let keeper = handover.keeper, let first = keeper.receive(milliseconds: Note.patience),
      let estate = Estate(first, then: keeper)
    {
      return isFit(estate) ? Inheritance(estate: estate, holder: nil) : nil
    }
    guard let holder = Line.to(doorName(configuration)), holder.send([Note.take.rawValue]),
      let first = holder.receive(milliseconds: Note.patience), let estate = Estate(first, then: holder), isFit(estate)
    else { return nil }
    return Inheritance(estate: estate, holder: holder)
  }

  /// As many shards as this process is to have, if anybody said how many.
  private func isFit(_ estate: Estate) -> Bool { flags.shards == 0 || flags.shards == estate.heritage.shards }

  /// Processes of the same addresses, ports and endpoints have the same: others are no replacement, and a probe of the
  /// kubelet's would find nobody.
  private func doorName(_ configuration: Configuration) -> String {
    let endpoints = configuration.blocks.flatMap { block in
      [block.prometheus?.address.description, block.ready?.address.description, block.health?.address.description]
        .compactMap(\.self)
    }
    let identity = flags.localIPs + ["\(flags.dnsPort)", flags.metricsListenAddress] + endpoints
    // FNV-1a: a name, not a secret.
    let hash = identity.joined(separator: " ").utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    return "ringlet/" + String(hash, radix: 16)
  }

  /// Starts to serve, after whoever served until now. Returns once queries are answered.
  func begin(_ configuration: Configuration, _ settings: Settings, after inheritance: Inheritance?) throws(Fatal) {
    let rings = try chooseRing()
    let generation = try inherit(inheritance, configuration, settings, rings)
    if inheritance?.holder != nil { openSetupEndpoint() }
    generation.start()
    generation.fabric.stages.order(.serve)
    work.withLock { $0 = generation }
    isReady.store(true, ordering: .relaxed)
    generation.lookForLoops(log)
    if let holder = inheritance?.holder {
      ControlThread.start { generation.takeStreams(from: holder) }
    }
    handover.state.withLock {
      $0.holder = inheritance?.holder
      $0.door = inheritance?.estate.door ?? Line.listener(doorName(configuration))
      if $0.door == nil { log.logger().info("No process can take over from this one: its name is another's") }
    }
    deposit()
  }

  /// A generation that only waits to be told to serve. Whatever is wrong with an estate, the process begins without it.
  private func inherit(
    _ inheritance: Inheritance?, _ configuration: Configuration, _ settings: Settings, _ rings: RingReport
  ) throws(Fatal) -> Generation {
    if let inheritance {
      let logger = log.logger()
      do {
        let generation = try Generation(configuration, settings, after: inheritance.estate, rings, log)
        guard let holder = inheritance.holder else {
          logger.info("Takes over from a process that ended")
          return generation
        }
        if holder.send([Note.ready.rawValue]),
          holder.receive(milliseconds: Int32(Generation.patience * 1000))?.bytes == [Note.left.rawValue]
        {
          logger.info("Takes over from the process that served")
          return generation
        }
        generation.discard()
        logger.warning("The process that serves does not hand over; serving beside it")
      } catch {
        logger.warning("What another process left cannot be taken over; serving without it")
      }
    }
    return try start { try Generation(configuration, settings, shards: shards, rings, log) }
  }

  /// Gives the keeper, if there is one, what the next process needs.
  func deposit() {
    guard let keeper = handover.keeper, let generation = work.withLock({ $0 }) else { return }
    if generation.estate(door: handover.state.withLock { $0.door })?.send(over: keeper) != true {
      log.logger().warning("The supervisor cannot keep the sockets and the cache: a restart begins without them")
    }
  }

  /// Answers those who knock, for the life of the process.
  func watchDoor() {
    if let keeper = handover.keeper {
      ControlThread.start {
        while keeper.receive(milliseconds: nil) != nil {}
        // As if told to end: there is nobody left to tell.
        kill(getpid(), SIGTERM)
      }
    }
    guard let door = handover.state.withLock({ $0.door }) else { return }
    ControlThread.start { [self] in
      // Who stands by, to see the end of this process.
      var standby: Line?
      while true {
        guard let line = Line.accept(at: door) else {
          // Out of descriptors, or of another user: no reason to be busy.
          usleep(100_000)
          continue
        }
        switch line.receive(milliseconds: Note.patience)?.bytes.first.flatMap(Note.init(rawValue:)) {
        case .take: handOver(to: line, door)
        case .ping:
          line.send([Note.here.rawValue])
          standby = line
        default: break
        }
        _ = standby
      }
    }
  }

  /// Hands over to another process, and stands by until that ends.
  private func handOver(to heir: Line, _ door: Descriptor) {
    let logger = log.logger()
    let left = latest.withLock { _ -> (Generation, Estate)? in
      guard let generation = work.withLock({ $0 }), !handover.state.withLock({ $0.isLeaving }),
        let estate = generation.estate(door: door.copy()), estate.send(over: heir),
        heir.receive(milliseconds: Int32(Generation.patience * 1000))?.bytes == [Note.ready.rawValue]
      else { return nil }
      handover.state.withLock { $0.isStandingBy = true }
      network.pause()
      endpoints.closeAll()
      guard generation.handOver(to: heir) else {
        logger.critical("The shards get no processor: they do not hand over within half a minute")
        log.flush()
        exit(1)
      }
      work.withLock { $0 = nil }
      return (generation, estate)
    }
    guard let (generation, estate) = left else { return }
    logger.info("Handed over to another process; standing by until it ends")
    while heir.receive(milliseconds: nil) != nil {}
    // Perhaps that one has handed over in its turn.
    while let next = Line.to(doorName(generation.configuration)), next.send([Note.ping.rawValue]),
      next.receive(milliseconds: Self.echo)?.bytes == [Note.here.rawValue]
    {
      while next.receive(milliseconds: nil) != nil {}
    }
    if handover.state.withLock({ $0.isLeaving }) { return }
    logger.warning("The process that took over has ended; serving again")
    takeBack(generation.configuration, estate)
  }

  /// Milliseconds in which a process that serves says so.
  private static let echo: Int32 = 100

  private func takeBack(_ configuration: Configuration, _ estate: Estate) {
    latest.withLock { _ in
      do throws(Fatal) {
        openSetupEndpoint()
        try openEndpoints(configuration)
        try begin(configuration, try compile(configuration), after: Inheritance(estate: estate, holder: nil))
        handover.state.withLock { $0.isStandingBy = false }
        network.resume()
        ControlThread.start { [network] in network.run() }
      } catch {
        log.logger().critical("\(error.message)")
        log.flush()
        exit(error.status)
      }
    }
  }

  /// Whether another process answers on one of our addresses, or stands by to: it needs the interface and the rules.
  var hasSibling: Bool { sharesSockets || hasNeighbour }

  /// The sockets of this process are another's too, that serves or stands by.
  var sharesSockets: Bool { handover.state.withLock { $0.isStandingBy } || handover.hasStandby }

  /// Another process has sockets of its own at our addresses.
  var hasNeighbour: Bool {
    UDPSockets.areBound(for: flags, besides: work.withLock { $0?.listeners ?? [] }.flatMap(\.udp))
  }
}
