import Corefile
import Engine
import Synchronization
import Wire

/// `hosts`: answers from a table that is replaced whole when its file changes.
struct Hosts: Stage {
  private final class Table: Sendable {
    let current: Mutex<HostsTable>
    init(_ table: HostsTable) { current = Mutex(table) }
  }

  private let directive: HostsDirective
  private let table: Table

  init(_ directive: HostsDirective) {
    self.directive = directive
    table = Table(HostsTable([], entries: directive.entries, zones: directive.zones))
  }

  var file: WatchedFile {
    let (directive, table) = (directive, table)
    return WatchedFile(path: directive.path, interval: directive.reload, kind: .hosts, location: directive.location) {
      let read = HostsTable($0, entries: directive.entries, zones: directive.zones)
      table.current.withLock { $0 = read }
      return read.addresses.values.reduce(0) { $0 + $1.count }
    }
  }

  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    // CoreDNS answers other classes with records of IN too; nobody can use those.
    guard query.recordClass == Wire.RecordClass.in else { return next(query) }
    if query.type == Wire.RecordType.ptr {
      let names = directive.answersReverse ? self.names(of: query.name) : []
      // An unknown address is for the next directive, whatever the zones.
      return names.isEmpty ? next(query) : .answer(answer(names, Wire.RecordType.ptr, query))
    }
    guard directive.zones.contains(where: { $0.contains(query.name) }) else { return next(query) }
    guard let addresses = table.current.withLock({ $0.addresses[query.name.wire] }) else {
      if directive.fallsThrough.contains(where: { $0.contains(query.name) }) { return next(query) }
      return .fail(Rcode.servFail, .resolver)
    }
    switch query.type {
    case Wire.RecordType.a: return .answer(answer(addresses.filter { $0.count == 4 }, query.type, query))
    case Wire.RecordType.aaaa: return .answer(answer(addresses.filter { $0.count == 16 }, query.type, query))
    // The name is known, and has no such records.
    default: return .answer(answer([], query.type, query))
    }
  }

  private func answer(_ data: [[UInt8]], _ type: UInt16, _ query: ChainQuery) -> Message {
    var message = Message(flags: Header.aa, by: .hosts)
    message.answers = data.map {
      ResourceRecord(owner: query.name.wire, type: type, recordClass: query.recordClass, ttl: directive.ttl, data: $0)
    }
    return message
  }

  private func names(of reverse: ZoneName) -> [[UInt8]] {
    guard let address = ReverseName.address(of: reverse) else { return [] }
    return table.current.withLock { $0.names[address] ?? [] }
  }
}

/// Names under `in-addr.arpa` (RFC 1035 §3.5) and `ip6.arpa` (RFC 3596 §2.5).
enum ReverseName {
  private static let v4 = ZoneName("in-addr.arpa")!
  private static let v6 = ZoneName("ip6.arpa")!

  /// The address that a name stands for, whole ones only.
  static func address(of name: ZoneName) -> [UInt8]? {
    let labels = name.text.split(separator: ".").reversed().dropFirst(2)
    if v4.contains(name), labels.count == 4 {
      let octets = labels.compactMap { UInt8($0) }
      return octets.count == 4 ? octets : nil
    }
    guard v6.contains(name), labels.count == 32 else { return nil }
    let digits = labels.compactMap { $0.count == 1 ? UInt8($0, radix: 16) : nil }
    guard digits.count == 32 else { return nil }
    return (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
  }
}
