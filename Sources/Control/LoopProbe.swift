import Chain
import Corefile
import Engine
import Glibc
import Logging

/// Asks each listener with a `loop` directive for a name of chance, once it serves: who sees it more often than it was
/// asked forwards to itself (spec/plugins.md, loop).
struct LoopProbe: Sendable {
  /// Seconds: to wait for an answer, in all, and for late copies after it.
  private static let attempt = 1
  private static let attempts = 30
  private static let aftermath = 2

  private let loop: Loop
  private let zone: ZoneName
  private let listener: Settings.Listener

  /// One for each block that asks for it. Chains and blocks have the same indices.
  static func all(_ configuration: Configuration, _ settings: Settings) -> [LoopProbe] {
    settings.chains.enumerated().compactMap { index, chain in
      guard let loop = (chain.resolver as? ChainResolver)?.loop,
        let zone = configuration.blocks[index].zones.first,
        let listener = settings.listeners.first(where: { listener in
          settings.groups[listener.group].contains { settings.zones[$0].chain == index }
        })
      else { return nil }
      return LoopProbe(loop: loop, zone: zone, listener: listener)
    }
  }

  /// Returns what to say before the process ends, if there is a loop; within half a minute.
  func run() -> String? {
    var random = SystemRandomNumberGenerator()
    let labels = (0..<2).map { _ in "\(UInt64.random(in: 0..<(1 << 63), using: &random))" }
    guard let name = ZoneName(labels.joined(separator: ".") + "." + (zone.text == "." ? "" : zone.text)) else {
      return nil
    }
    loop.watch(for: name.wire)
    defer { loop.watch(for: []) }
    let message = [0x72, 0x6C, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name.wire + [0, 13, 0, 1]
    for sent in 1...Self.attempts {
      let isAnswered = exchange(message)
      // Late copies come within the moment in which the answer did, or after a lost one was sent again.
      if isAnswered { sleep(UInt32(Self.aftermath)) }
      if loop.seen > sent { return fault(name) }
      if isAnswered { return nil }
    }
    return nil
  }

  private func fault(_ name: ZoneName) -> String {
    "Loop (\(listener.label.dropFirst("dns://".count)) -> itself) detected for zone \"\(zone)\", see "
      + "https://coredns.io/plugins/loop#troubleshooting. Query: \"HINFO \(name)\". An upstream of `forward` sends "
      + "queries back here: name upstreams that do not, such as those of the resolv.conf in /run/systemd/resolve"
  }

  /// Sends the question and waits for any answer: true if one came.
  private func exchange(_ message: [UInt8]) -> Bool {
    let address = target
    let socket = socket(Int32(address[0]), Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return false }
    defer { close(socket) }
    var wait = timeval(tv_sec: Self.attempt, tv_usec: 0)
    // The values live through the calls, and lengths are theirs.
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    let isConnected = unsafe address.withUnsafeBytes { bytes in
      unsafe connect(socket, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
    }
    guard isConnected, unsafe send(socket, message, message.count, 0) == message.count else {
      sleep(UInt32(Self.attempt))
      return false
    }
    var reply = [UInt8](repeating: 0, count: 1500)
    return unsafe recv(socket, &reply, reply.count, 0) > 0
  }

  /// The listener's address; the loopback one of a wildcard.
  private var target: [UInt8] {
    guard listener.isWildcard else { return listener.address }
    // The wildcard socket takes both families.
    return [UInt8(AF_INET), 0] + listener.address[2..<4] + [127, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
  }
}
