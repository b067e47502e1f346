/// The reverse zones of a network, `10.0.0.0/23` for one: as many whole octets (IPv4) or nibbles (IPv6) as its prefix
/// reaches into, so a prefix between two boundaries gives several zones. Nil for what is not `address/length`.
func reverseZones(_ text: String) -> [ZoneName]? {
  guard let network = IPNetwork(text) else { return nil }
  let bits = network.address.isIPv4 ? 8 : 4
  let length = (network.length + bits - 1) / bits * bits
  let labels = length / bits
  let values = network.address.bytes.flatMap { bits == 8 ? [$0] : [$0 >> 4, $0 & 0xF] }
  let suffix: [UInt8] = bits == 8 ? wire("in-addr", "arpa") : wire("ip6", "arpa")
  if labels == 0 { return [ZoneName(wire: suffix)] }

  let first = values[labels - 1]
  return (0..<(1 << (length - network.length))).map { (offset: Int) in
    var zone: [UInt8] = []
    for index in (0..<labels).reversed() {
      let value = index == labels - 1 ? first + UInt8(offset) : values[index]
      zone += label(String(value, radix: bits == 8 ? 10 : 16))
    }
    return ZoneName(wire: zone + suffix)
  }
}

private func label(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + text.utf8 }

private func wire(_ labels: String...) -> [UInt8] { labels.flatMap { label($0) } + [0] }
