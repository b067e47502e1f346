import Engine
import Memory

/// A shard's receive buffers, each with exactly one owner.
struct ReceiveBuffers {
  enum Owner { case ring, filled, shard, sending }

  static let size = 2048
  /// Where the message stands in a buffer; in front of it the sender's address.
  static let headroom = 44

  private final class Memory {
    let region: Region
    init(_ size: Int) { region = Region(size: size) }
  }

  private let memory: Memory
  private var owners: [Owner]
  private var lengths: [Int]
  private var truncated: [Bool]
  private var unused: [Int]
  private(set) var faults: [String] = []

  init(count: Int) {
    memory = Memory(count * Self.size)
    owners = Array(repeating: .ring, count: count)
    lengths = Array(repeating: 0, count: count)
    truncated = Array(repeating: false, count: count)
    unused = Array(0..<count)
  }

  var count: Int { owners.count }
  var areAllFree: Bool { unused.count == owners.count }
  /// Replies are the kernel's to send, also when nobody will hear what became of them.
  var areFreeOrSent: Bool { owners.allSatisfy { $0 == .ring || $0 == .sending } }
  func owner(_ index: Int) -> Owner { owners[index] }
  /// Buffers the shard holds: once its turn is over, those of its backlog.
  private(set) var held = 0

  func bytes(_ index: Int) -> Bytes { memory.region.bytes.slice(index * Self.size, Self.size) }

  /// Takes a buffer for a datagram that arrived; nil: ENOBUFS.
  mutating func fill(_ message: [UInt8], from address: [UInt8]) -> Int? {
    guard let index = unused.popLast() else { return nil }
    let room = Self.size - Self.headroom
    let bytes = bytes(index)
    // What an earlier datagram left behind must not be mistaken for this one's.
    bytes.fill(0xDD)
    bytes.slice(0, Self.headroom).fill(0)
    bytes.put(address, at: 0)
    bytes.put(message.prefix(room), at: Self.headroom)
    lengths[index] = min(message.count, room)
    truncated[index] = message.count > room
    owners[index] = .filled
    return index
  }

  mutating func hand(_ index: Int) { change(index, .filled, .shard) }
  mutating func release(_ index: Int) {
    change(index, .shard, .ring)
    unused.append(index)
  }
  mutating func send(_ index: Int) { change(index, .shard, .sending) }
  mutating func free(_ index: Int) {
    change(index, .sending, .ring)
    unused.append(index)
  }

  private mutating func change(_ index: Int, _ from: Owner, _ to: Owner) {
    if owners[index] != from { faults.append("receive buffer \(index) was \(owners[index]), not \(from)") }
    if owners[index] == .shard { held -= 1 }
    if to == .shard { held += 1 }
    owners[index] = to
  }

  func datagram(_ index: Int) -> Datagram {
    let bytes = bytes(index)
    return Datagram(
      buffer: bytes.from(Self.headroom), length: lengths[index], sender: bytes.slice(0, Peer.addressSize),
      local: bytes.slice(0, 0), truncated: truncated[index])
  }
}
