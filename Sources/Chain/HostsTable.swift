import Corefile

/// Names and addresses of a hosts file (hosts(5)) and of a directive's own lines.
struct HostsTable: Sendable {
  /// By name (wire format, folded): addresses of 4 or 16 octets, in the order of the file.
  private(set) var addresses: [[UInt8]: [[UInt8]]] = [:]
  /// By address: names in wire format.
  private(set) var names: [[UInt8]: [[UInt8]]] = [:]

  /// Only names in `zones` count.
  init(_ file: [UInt8], entries: [HostsDirective.Entry], zones: [ZoneName]) {
    for line in file.split(separator: UInt8(ascii: "\n")) {
      let text = line.prefix { $0 != UInt8(ascii: "#") }
      let words = text.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      guard words.count > 1, let address = IPAddress(String(decoding: words[0], as: UTF8.self)) else { continue }
      for word in words.dropFirst() {
        if let name = ZoneName(String(decoding: word, as: UTF8.self)) { add(name, address, zones) }
      }
    }
    for entry in entries {
      for name in entry.names { add(name, entry.address, zones) }
    }
  }

  private mutating func add(_ name: ZoneName, _ address: IPAddress, _ zones: [ZoneName]) {
    guard zones.contains(where: { $0.contains(name) }) else { return }
    addresses[name.wire, default: []].append(address.bytes)
    names[address.bytes, default: []].append(name.wire)
  }
}
