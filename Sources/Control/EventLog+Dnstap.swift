import Corefile
import Engine
import Glibc
import Memory
import Wire

extension EventLog {
  /// A message of DNS for the collectors of its chain.
  func tap(_ kind: DnstapMessage.Kind, _ event: Event, _ wire: Bytes) {
    var message = DnstapMessage(kind: kind, transport: .udp, queryTime: 0)
    switch kind {
    case .clientQuery, .clientResponse:
      message.transport = event.origin.isStream ? .tcp : .udp
      message.asker = .init(address: event.origin.peer.host, port: event.origin.peer.port)
    case .forwarderQuery, .forwarderResponse:
      message.transport = event.isSecure ? .tls : event.isStream ? .tcp : .udp
      let upstream = Peer(octets: fabric.settings.upstreams[event.upstream].address)
      message.asked = .init(address: upstream.host, port: upstream.port)
    }
    let time = Self.wallTime(event.time)
    message.queryTime = time - event.duration
    if kind.isResponse { message.responseTime = time }
    let octets = wire.octets
    for collector in collectors[fabric.settings.zones[event.zone].chain] {
      message.wire = collector.directive.isFull ? octets : nil
      collector.send(message, extra: collector.directive.extra.map { Self.extra($0, event, wire, message) })
    }
  }

  /// What a time of the shards' clock is in nanoseconds since 1970, by today's difference of the two.
  private static func wallTime(_ time: UInt64) -> UInt64 {
    UInt64(bitPattern: clock(CLOCK_REALTIME) - clock(CLOCK_BOOTTIME)) &+ time
  }

  private static func clock(_ id: clockid_t) -> Int64 {
    var now = timespec()
    // The value lives through the call.
    unsafe clock_gettime(id, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }

  /// The directive's text, with what is known of the query; an answer says nothing of itself there, as in CoreDNS.
  private static func extra(_ format: LogFormat, _ event: Event, _ wire: Bytes, _ message: DnstapMessage) -> [UInt8] {
    var fields = QueryLog.Fields()
    if let client = message.asker {
      (fields.remote, fields.port) = ("\(IPAddress(bytes: client.address))", client.port)
    }
    fields.proto = message.transport == .udp ? "udp" : "tcp"
    fields.id = wire.id
    fields.opcode = UInt8(wire.flags >> 11 & 0xF)
    fields.size = event.querySize
    fields.dnssecOK = event.dnssecOK
    if let name = Name.expanded(wire, at: Header.length), Header.length + name.count + 4 <= wire.count {
      fields.name = ZoneName(wire: name.map { (65...90).contains($0) ? $0 + 32 : $0 }).text
      fields.type = RecordType(value: wire.u16(Header.length + name.count)).name
      fields.class = classLabel(wire.u16(Header.length + name.count + 2))
    }
    var text: [UInt8] = []
    QueryLog(format).fill(fields, to: &text)
    return text
  }
}
