import Corefile
import Engine
import Glibc
import Logging
import Memory
import NIOPosix
import Sockets
import Synchronization

/// Tells what shards report: a line per query for the `log` directive, a line per failure for `errors`, messages for the
/// collectors of `dnstap`.
///
/// Shards push events and go on; a thread sleeps until one of them signals, then empties their queues.
public final class EventLog: Sendable {
  private struct Rule: Sendable {
    let directive: LogDirective
    let line: QueryLog
  }

  /// When something was last told that may happen many times a second.
  private struct Told {
    /// By upstream.
    var tls: [Int: ContinuousClock.Instant] = [:]
    var flood: ContinuousClock.Instant?
  }

  let fabric: Fabric
  /// By chain, which is a server block.
  private let rules: [[Rule]]
  private let output: LogWriter
  private let errors: Logger
  private let forwards: Logger
  private let general: Logger
  /// By chain.
  private let consolidations: [[ErrorsDirective.Consolidation]]
  /// By chain.
  let collectors: [[DnstapCollector]]
  /// Their thread; nil: there are none.
  private let group: MultiThreadedEventLoopGroup?
  /// For shards, when they have pushed events.
  let signal = EventSignal()
  private let hasEnded = Atomic<Bool>(false)

  public init(_ fabric: Fabric, _ configuration: Configuration, _ log: ProcessLog) {
    self.fabric = fabric
    rules = configuration.blocks.map { $0.log.map { Rule(directive: $0, line: QueryLog($0.format)) } }
    output = log.output
    errors = log.logger("plugin/errors")
    forwards = log.logger("plugin/forward")
    general = log.logger()
    consolidations = configuration.blocks.map { $0.errors?.consolidations ?? [] }
    let taps = configuration.blocks.map(\.dnstap)
    group = taps.joined().isEmpty ? nil : MultiThreadedEventLoopGroup(numberOfThreads: 1)
    collectors = taps.map { [group] in $0.map { DnstapCollector($0, group!.next(), log) } }
  }

  public func start() {
    for collector in collectors.joined() { collector.start() }
    ControlThread.start { [self] in
      var consolidated = consolidations.map { $0.map { ConsolidatedErrors($0) } }
      var told = Told()
      while !hasEnded.load(ordering: .acquiring) {
        signal.wait(milliseconds: consolidated.joined().compactMap(\.millisecondsLeft).min())
        drain(&consolidated, &told)
        for chain in consolidated.indices {
          for one in consolidated[chain].indices { consolidated[chain][one].tellIfDue(errors) }
        }
      }
      for collector in collectors.joined() { collector.stop() }
      try? group?.syncShutdownGracefully()
    }
  }

  /// After the last event: writes what is there, and ends.
  func stop() {
    hasEnded.store(true, ordering: .releasing)
    signal.signal()
  }

  private func drain(_ consolidated: inout [[ConsolidatedErrors]], _ told: inout Told) {
    for shard in 0..<fabric.shards {
      let queue = fabric.eventQueue(shard)
      while let message = queue.front() {
        let (event, name) = Event.read(message)
        switch event.kind {
        case .query: write(query: event, name)
        case .failure: write(failure: event, name, &consolidated)
        case .clientQuery: tap(.clientQuery, event, name)
        case .clientResponse: tap(.clientResponse, event, name)
        case .forwarderQuery: tap(.forwarderQuery, event, name)
        case .forwarderResponse: tap(.forwarderResponse, event, name)
        case .tls: write(tls: event, String(decoding: name.octets, as: UTF8.self), &told.tls)
        case .flood: write(flood: event, &told.flood)
        }
        queue.pop(message)
      }
    }
  }

  /// Once a minute for each upstream: it is tried again several times a second.
  private func write(tls event: Event, _ reason: String, _ told: inout [Int: ContinuousClock.Instant]) {
    let now = ContinuousClock.now
    if let last = told[event.upstream], now - last < .seconds(60) { return }
    told[event.upstream] = now
    forwards.error("tls://\(fabric.settings.upstreams[event.upstream].label): \(reason)")
  }

  /// Once in ten seconds, whoever it is: each shard sees the flood for itself.
  private func write(flood event: Event, _ told: inout ContinuousClock.Instant?) {
    let now = ContinuousClock.now
    if let last = told, now - last < .seconds(10) { return }
    told = now
    general.warning(
      "\(IPAddress(bytes: event.origin.peer.host)) asks more than there is time to answer: until it asks less, the kernel drops a part of it (ringlet_kernel_drops_total)"
    )
  }

  private func write(query event: Event, _ name: Bytes) {
    let chain = fabric.settings.zones[event.zone].chain
    let zone = ZoneName(name)
    // The first rule whose names fit decides, whether its classes do or not.
    guard let rule = rules[chain].first(where: { rule in rule.directive.names.contains { $0.contains(zone) } }),
      rule.directive.classes.contains(.all) || rule.directive.classes.contains(Self.logClass(event))
    else { return }
    var fields = fields(event, zone)
    fields.rcode = rcodeLabel(Int(event.rcode))
    fields.responseFlags = event.replyFlags
    fields.responseSize = event.replySize
    fields.nanoseconds = event.duration
    output.write(rule.line.line(fields))
  }

  /// What is known of a query, without its answer; of an upstream's without who asked us.
  func fields(_ event: Event, _ name: ZoneName) -> QueryLog.Fields {
    var fields = QueryLog.Fields()
    var isStream = event.isStream
    if event.upstream < 0 {
      isStream = event.origin.isStream
      (fields.remote, fields.port) = ("\(IPAddress(bytes: event.origin.peer.host))", event.origin.peer.port)
      let listener = fabric.settings.listeners[event.origin.listener]
      let asked = event.origin.peer.localHost
      fields.local = "\(IPAddress(bytes: asked.isEmpty ? Peer(octets: listener.address).host : asked))"
    }
    fields.id = event.id
    fields.opcode = UInt8(event.queryFlags >> 11 & 0xF)
    fields.type = RecordType(value: event.type).name
    fields.class = classLabel(event.recordClass)
    fields.name = name.text
    fields.proto = isStream ? "tcp" : "udp"
    fields.size = event.querySize
    fields.dnssecOK = event.dnssecOK
    fields.bufferSize = isStream ? 65_535 : max(512, Int(event.udpSize))
    return fields
  }

  /// NXDOMAIN and NODATA are denials; NODATA is not told apart here, for it has no code of its own.
  private static func logClass(_ event: Event) -> LogDirective.Class {
    switch event.rcode {
    case 0: event.hasAnswer ? .success : .denial
    case 3: .denial
    default: .error
    }
  }

  private func write(failure event: Event, _ name: Bytes, _ consolidated: inout [[ConsolidatedErrors]]) {
    let cause =
      switch event.cause {
      case .upstreamTimeout: "no answer from any upstream in time: i/o timeout"
      case .upstreamUnusable: "every connection to the upstreams failed"
      case .upstreamsDown: "all upstreams are down"
      case .tooManyQuestions: "too many questions are pending"
      case .tooManyConcurrent: "concurrent queries exceeded maximum"
      case .noForward: "no next plugin found"
      case .malformedAnswer: "the upstream's answer is malformed"
      case .malformedTemplate: "template: a record that was filled in is malformed"
      case .none, .resolver: "the upstream answered with an error alone"
      }
    let chain = fabric.settings.zones[event.zone].chain
    if let first = consolidated[chain].firstIndex(where: { $0.matches(cause) }) {
      return consolidated[chain][first].count()
    }
    errors.error("\(event.rcode) \(ZoneName(name)) \(RecordType(value: event.type).name): \(cause)")
  }
}

extension ZoneName {
  fileprivate init(_ name: Bytes) { self.init(wire: (0..<name.count).map { name[$0] }) }
}

/// Classes as CoreDNS prints them (IANA DNS CLASSes).
private func classLabel(_ value: UInt16) -> String {
  switch value {
  case 1: "IN"
  case 3: "CH"
  case 4: "HS"
  case 254: "NONE"
  case 255: "ANY"
  default: "CLASS\(value)"
  }
}
