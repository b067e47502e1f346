import Engine
import FoundationEssentials
import Memory
import Sockets

/// What one process leaves to the next: its sockets, with what waits in them, the memory of its cache, and what the
/// numbers in it mean.
struct Estate: Sendable {
  let heritage: Heritage
  /// A memfd.
  let cache: Descriptor
  /// By shard: one of UDP and one of TCP for each listener.
  let sockets: [[Descriptor]]
  /// Where whoever wants to take over knocks (`Handover`).
  let door: Descriptor?

  /// The first words between two processes, and so what has to fit of two versions of Ringlet.
  private struct Header: Codable {
    var version = 1
    let boot: String
    let heritage: Heritage
    let hasDoor: Bool
  }

  /// Sends it; false: the other end is gone, or has no room.
  func send(over line: Line) -> Bool {
    let header = Header(boot: Self.boot, heritage: heritage, hasDoor: door != nil)
    guard let text = try? JSONEncoder().encode(header) else { return false }
    guard line.send([Note.estate.rawValue] + text) else { return false }
    let descriptors = [cache] + (door.map { [$0] } ?? []) + sockets.joined()
    for from in stride(from: 0, to: descriptors.count, by: Self.batch) {
      let part = Array(descriptors[from..<min(from + Self.batch, descriptors.count)])
      guard line.send([Note.descriptors.rawValue], passing: part) else { return false }
    }
    return true
  }

  /// The one that `first` and the messages after it bring; nil: none that can be used here.
  init?(_ first: Line.Message, then line: Line) {
    guard first.bytes.first == Note.estate.rawValue,
      let header = try? JSONDecoder().decode(Header.self, from: Data(first.bytes.dropFirst())),
      header.version == 1, header.boot == Self.boot, header.heritage.isSound
    else { return nil }
    let perShard = 2 * header.heritage.listeners.count
    let count = 1 + (header.hasDoor ? 1 : 0) + perShard * header.heritage.shards
    var descriptors: [Descriptor] = []
    while descriptors.count < count {
      guard let part = line.receive(milliseconds: Note.patience), part.bytes == [Note.descriptors.rawValue],
        !part.descriptors.isEmpty
      else { return nil }
      descriptors += part.descriptors
    }
    guard descriptors.count == count else { return nil }
    heritage = header.heritage
    cache = descriptors.removeFirst()
    door = header.hasDoor ? descriptors.removeFirst() : nil
    sockets = (0..<heritage.shards).map { Array(descriptors[($0 * perShard)..<(($0 + 1) * perShard)]) }
  }

  init(_ heritage: Heritage, cache: Descriptor, sockets: [[Descriptor]], door: Descriptor?) {
    self.heritage = heritage
    self.cache = cache
    self.sockets = sockets
    self.door = door
  }

  /// It is not what it says.
  struct Unusable: Error {}

  private static let batch = 200
  /// Times in the cache are those of one boot's clock (random(4)).
  private static let boot = TextFile.read("/proc/sys/kernel/random/boot_id", limit: 64) ?? ""
}

/// What two processes say to each other: the first octet of a message.
///
///     heir     take                            ready                                  (serves)
///     holder          estate descriptors...           left stream... done             (stands by)
enum Note: UInt8 {
  /// I want to take over.
  case take
  /// Are you there? I stand by.
  case ping
  /// I serve.
  case here
  case estate
  case descriptors
  /// There is no estate.
  case nothing
  /// I have all I need: leave.
  case ready
  /// The cache is yours, and every query from now on.
  case left
  /// A client's connection: its shard, its listener there (two octets), what was read of it.
  case stream
  /// I have answered all who asked me.
  case done

  /// Milliseconds until what is to come at once is not waited for any more.
  static let patience: Int32 = 2000
}
