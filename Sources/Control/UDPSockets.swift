import Corefile
import Glibc

/// What /proc/net says of UDP sockets (proc_pid_net(5)).
enum UDPSockets {
  /// Whether sockets other than `own` are bound to our addresses and port: another process serves there.
  static func areBound(for flags: Flags, besides own: [Int32]) -> Bool {
    let own = Set(own.map(inode))
    return bound(to: flags.localIPs.compactMap { IPAddress($0) }, port: flags.dnsPort).contains { !own.contains($0) }
  }

  /// Inodes of the sockets that are bound to one of the addresses on a port.
  private static func bound(to addresses: [IPAddress], port: UInt16) -> [UInt64] {
    let places = Set(addresses.map { text($0, port) })
    return ["/proc/net/udp", "/proc/net/udp6"].flatMap { path in
      (TextFile.read(path, limit: 16 << 20) ?? "").split(separator: "\n").dropFirst().compactMap { line -> UInt64? in
        // sl local_address rem_address st queues tr:when retrnsmt uid timeout inode ...
        let fields = line.split(separator: " ")
        guard fields.count > 9, places.contains(String(fields[1])) else { return nil }
        return UInt64(fields[9])
      }
    }
  }

  private static func inode(_ socket: Int32) -> UInt64 {
    var status = stat()
    // The status lives through the call.
    return unsafe fstat(socket, &status) == 0 ? UInt64(status.st_ino) : 0
  }

  /// Words of four octets in host order, in hexadecimal, and the port.
  private static func text(_ address: IPAddress, _ port: UInt16) -> String {
    let octets = address.bytes
    var text = ""
    for word in stride(from: 0, to: octets.count, by: 4) {
      for octet in octets[word..<(word + 4)].reversed() { text += hex(UInt64(octet), 2) }
    }
    return text + ":" + hex(UInt64(port), 4)
  }

  private static func hex(_ number: UInt64, _ digits: Int) -> String {
    let text = String(number, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
