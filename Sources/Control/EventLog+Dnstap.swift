import CSocket
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
      message.asker = Endpoint(event.origin.peer)
    case .forwarderQuery, .forwarderResponse:
      message.transport = event.isSecure ? .tls : event.isStream ? .tcp : .udp
      message.asked = Endpoint(Peer(octets: fabric.settings.upstreams[event.upstream].address))
    }
    // Since 1970, by what the two clocks differ now.
    let time = wallClock() &- csocket_boottime() &+ event.time
    message.queryTime = time &- event.duration
    if kind.isResponse { message.responseTime = time }
    let octets = wire.octets
    for collector in collectors[fabric.settings.zones[event.zone].chain] {
      message.wire = collector.directive.isFull ? octets : nil
      collector.send(message, extra: collector.directive.extra.map { extra($0, event, wire) })
    }
  }

  /// The directive's text, with what is known of the query; an answer says nothing of itself there, as in CoreDNS.
  private func extra(_ format: LogFormat, _ event: Event, _ wire: Bytes) -> [UInt8] {
    let name = Name.expanded(wire, at: Header.length) ?? [0]
    var text: [UInt8] = []
    QueryLog(format).fill(fields(event, ZoneName(spelled: name)), to: &text)
    return text
  }
}

extension Endpoint {
  fileprivate init(_ peer: Peer) { self.init(address: IPAddress(bytes: peer.host), port: peer.port) }
}

/// Nanoseconds since 1970.
private func wallClock() -> UInt64 {
  var now = timespec()
  // The value lives through the call.
  unsafe clock_gettime(CLOCK_REALTIME, &now)
  return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
