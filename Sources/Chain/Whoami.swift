import Engine
import Wire

/// `whoami`: tells clients who they are, in the additional section: an address, and an SRV record with their port.
struct Whoami: Sendable {
  func answer(_ query: ChainQuery) -> Message {
    var message = Message(flags: Header.aa, by: .whoami)
    let address = query.inquiry.peer.host
    let name = query.name.wire
    message.additionals.append(
      ResourceRecord(
        owner: name, type: address.count == 4 ? RecordType.a : RecordType.aaaa, recordClass: query.recordClass, ttl: 0,
        data: address))
    // `_udp.NAME`, or nothing where that is no name.
    let label: [UInt8] = [4] + Array((query.inquiry.isStream ? "_tcp" : "_udp").utf8)
    if label.count + name.count <= Name.maxLength {
      var data: [UInt8] = [0, 0, 0, 0]
      data.append(u16: query.inquiry.peer.port)
      message.additionals.append(
        ResourceRecord(
          owner: label + name, type: RecordType.srv, recordClass: query.recordClass, ttl: 0, data: data + [0]))
    }
    return message
  }
}
