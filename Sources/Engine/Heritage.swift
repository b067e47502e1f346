import Memory

/// What a fabric is to one of another process that takes over from it, beside the memory of its cache.
public struct Heritage: Codable, Sendable {
  public let shards: Int
  let secret: [UInt64]
  let epoch: UInt64
  let successBytes: Int
  let denialBytes: Int
  let zones: [Zone]
  let groups: [[Int]]
  public let listeners: [Listener]

  struct Zone: Codable, Sendable {
    let name: [UInt8]
    let label: String
    let content: String
  }

  public struct Listener: Codable, Sendable {
    let address: [UInt8]
    let label: String
    let group: Int
  }

  public init(_ fabric: Fabric) {
    let settings = fabric.settings
    shards = fabric.shards
    secret = [fabric.random.0, fabric.random.1, fabric.random.2]
    epoch = fabric.epoch
    (successBytes, denialBytes) = (settings.successBytes, settings.denialBytes)
    zones = settings.zones.map { Zone(name: $0.name, label: $0.label, content: $0.content) }
    groups = settings.groups
    listeners = settings.listeners.map { Listener(address: $0.address, label: $0.label, group: $0.group) }
  }

  /// Whether its numbers name what they should: it comes from another process.
  public var isSound: Bool {
    (1...64).contains(shards) && secret.count == 3
      && successBytes >= 4096 && denialBytes >= 4096 && successBytes < 1 << 40 && denialBytes < 1 << 40
      && zones.count <= 65_535 && groups.allSatisfy { $0.allSatisfy { zones.indices.contains($0) } }
      && listeners.allSatisfy { groups.indices.contains($0.group) }
  }

  public var addresses: [[UInt8]] { listeners.map(\.address) }

  var random: (UInt64, UInt64, UInt64) { (secret[0], secret[1], secret[2]) }

  /// The old settings, as far as they say what becomes of the cache, of sockets and of clients.
  public var settings: Settings {
    var settings = Settings()
    settings.zones = zones.map { Settings.Zone(name: $0.name, chain: 0, label: $0.label, content: $0.content) }
    settings.groups = groups
    settings.listeners = listeners.map {
      Settings.Listener(address: $0.address, isWildcard: false, group: $0.group, label: $0.label)
    }
    (settings.successBytes, settings.denialBytes) = (successBytes, denialBytes)
    return settings
  }
}

/// Clients' streams between the shards of a fabric and those of one in another process, by way of both control threads.
extension Fabric {
  /// A stream that the shard before `shard` left to this fabric, whose shards are not at work: its listener there, its
  /// descriptor, and what was read of it.
  public func takeStream(of shard: Int) -> (listener: Int, descriptor: Int32, input: [UInt8])? {
    let queue = mailbox(from: shards, to: shard)
    while let message = queue.front() {
      let (letter, bytes) = Letter.read(message)
      let input = (0..<bytes.count).map { bytes[$0] }
      queue.pop(message)
      // What it knew of upstreams and of clients, the other process finds out for itself.
      guard letter.kind == .stream else { continue }
      return (letter.origin.listener, Int32(truncatingIfNeeded: letter.origin.stream), input)
    }
    return nil
  }

  /// Gives a stream of the fabric before to a shard, which has to be woken. `listener` is its number there. False: nobody
  /// listens there any more, or there is no room.
  public func give(_ descriptor: Int32, listener: Int, input: [UInt8], to shard: Int) -> Bool {
    guard let succession, succession.listeners.indices.contains(listener), let new = succession.listeners[listener],
      input.count <= Stream.Limits.input
    else { return false }
    var origin = Origin()
    origin.listener = new
    origin.stream = Int(descriptor)
    var input = input
    // The array lives through the call, and is copied there.
    return unsafe input.withUnsafeMutableBytes { memory in
      let bytes =
        unsafe memory.baseAddress.map { unsafe Bytes(base: $0, count: memory.count) }
        ?? segments.bytes.slice(0, 0)
      return mailbox(from: shards, to: shard).push(Letter(kind: .stream, origin: origin), bytes)
    }
  }
}
