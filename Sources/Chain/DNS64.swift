import Corefile
import Engine
import Wire

/// `dns64`: AAAA records made from A records, for clients without IPv4 (RFC 6147).
struct DNS64: Stage {
  private let directive: DNS64Directive
  private let counts: ChainCounts

  init(_ directive: DNS64Directive, _ counts: ChainCounts) {
    self.directive = directive
    self.counts = counts
  }

  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    // Who checks signatures itself must see the answer as it was signed (RFC 6147 §5.5).
    let validates = query.inquiry.dnssecOK && query.inquiry.checkingDisabled
    guard query.type == Wire.RecordType.aaaa, query.recordClass == Wire.RecordClass.in, !validates,
      query.inquiry.peer.isIPv6 || directive.allowsIPv4Clients
    else { return next(query) }
    return next(query).map { message in
      let isComplete = message.answers.contains { $0.type == Wire.RecordType.aaaa } && !directive.translatesAll
      if message.rcode == Rcode.nxDomain || isComplete { return .answer(message) }
      var addresses = query
      addresses.type = Wire.RecordType.a
      return next(addresses).map { found in
        guard let made = translated(found, like: message) else { return .answer(message) }
        counts.add(.translated, server: query.inquiry.listener)
        return .answer(made)
      }
    }
  }

  /// nil: there is no address to translate.
  private func translated(_ found: Message, like original: Message) -> Message? {
    guard found.answers.contains(where: { $0.type == Wire.RecordType.a && $0.data.count == 4 }) else { return nil }
    // As long as the name was said to have no AAAA records; ten minutes where nothing is said (RFC 6147 §5.1.7).
    let limit = original.authorities.first { $0.type == Wire.RecordType.soa }?.ttl ?? 600
    var made = Message(flags: found.flags & ~Header.ad | original.flags & Header.tc, by: .dns64)
    made.answers = found.answers.compactMap { record in
      var record = record
      guard record.type == Wire.RecordType.a else { return record.type == Wire.RecordType.cname ? record : nil }
      guard record.data.count == 4 else { return nil }
      record.type = Wire.RecordType.aaaa
      record.ttl = min(record.ttl, limit)
      record.data = embedded(record.data)
      return record
    }
    return made
  }

  /// An IPv4 address in the prefix; octet 8 stays zero (RFC 6052 §2.2).
  private func embedded(_ address: [UInt8]) -> [UInt8] {
    var octets = directive.prefix.address.bytes
    var at = directive.prefix.length / 8
    for octet in address {
      if at == 8 { at += 1 }
      octets[at] = octet
      at += 1
    }
    return octets
  }
}
