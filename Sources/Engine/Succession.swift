import Cache
import Memory
import Wire

/// What becomes of one configuration's numbers in the next.
struct Succession: Sendable {
  /// By old zone, and by new zone: equal numbers for zones that may have each other's cached answers.
  let oldKinds: [Int]
  let newKinds: [Int]
  /// By old zone: the new one that counts on from it.
  let zones: [Int?]
  /// By old listener: the new one at the same address.
  let listeners: [Int?]
  /// By old listener: its zones, and the new ones of the same label at the same address.
  let counted: [[(old: Int, new: Int)]]
  /// By old upstream: the new one of the same label.
  let upstreams: [Int?]
  /// Every cached answer stays with its zone, under the same number.
  let isUnchanged: Bool

  init(from old: Settings, to new: Settings) {
    let all = old.zones + new.zones
    let kinds = all.map { zone in all.firstIndex { $0.name == zone.name && $0.content == zone.content }! }
    let (oldKinds, newKinds) = (Array(kinds.prefix(old.zones.count)), Array(kinds.dropFirst(old.zones.count)))
    (self.oldKinds, self.newKinds) = (oldKinds, newKinds)
    zones = oldKinds.enumerated().map { index, kind in
      newKinds.indices.contains(index) && newKinds[index] == kind ? index : newKinds.firstIndex(of: kind)
    }
    listeners = old.listeners.map { listener in new.listeners.firstIndex { $0.address == listener.address } }
    // Several forwards may name the same one: each follows from its own.
    upstreams = old.upstreams.enumerated().map { index, upstream in
      let nth = old.upstreams.prefix(index).count { $0.label == upstream.label }
      return new.upstreams.indices.filter { new.upstreams[$0].label == upstream.label }.dropFirst(nth).first
    }
    counted = zip(old.listeners, listeners).map { listener, number in
      guard let number else { return [] }
      let zones = new.groups[new.listeners[number].group]
      return old.groups[listener.group].compactMap { zone in
        zones.first { new.zones[$0].label == old.zones[zone].label }.map { (zone, $0) }
      }
    }
    isUnchanged = oldKinds == newKinds && old.groups == new.groups
  }
}

extension Settings {
  /// Keeps what the cache of `old` can be kept by: its size, as long as no zone of both asks for another; and the numbers
  /// of groups that share a listener, for the keys of cached answers have them.
  public mutating func keepCache(of old: Settings) {
    let isSame = zones.allSatisfy { zone in
      let namesakes = old.zones.filter { $0.name == zone.name }
      return namesakes.isEmpty || namesakes.contains { $0.content == zone.content }
    }
    if isSame { (successBytes, denialBytes) = (old.successBytes, old.denialBytes) }
    var numbers = [Int?](repeating: nil, count: groups.count)
    for listener in listeners where numbers[listener.group] == nil {
      let before = old.listeners.first { $0.address == listener.address }?.group
      if let before, !numbers.contains(before) { numbers[listener.group] = before }
    }
    var free = (0...).lazy.filter { !numbers.contains($0) }.makeIterator()
    for group in groups.indices where numbers[group] == nil { numbers[group] = free.next() }
    var renumbered = [[Int]](repeating: [], count: (numbers.compactMap(\.self).max() ?? -1) + 1)
    for (group, number) in zip(groups, numbers) { renumbered[number!] = group }
    for index in listeners.indices { listeners[index].group = numbers[listeners[index].group]! }
    groups = renumbered
  }
}

extension Fabric {
  /// Counts on from where the shards of the last fabric are. Again as long as they count.
  public func carryCounts(of old: Fabric) {
    guard let succession else { return }
    for shard in 0..<shards { counters(shard).carry(old.counters(shard), succession) }
  }

  /// Gives the cached answers that a shard takes over to the zones that serve their names now. Before any shard of this
  /// fabric starts to serve, and after all of the last one have left the cache. What a killed process left in disorder,
  /// or numbered otherwise than it said, is forgotten.
  public func adopt(_ shard: Int) {
    guard let succession, inheritsCache else { return }
    guard var segment = Segment(resuming: layout, memory: segment(shard)), segment.epoch == inherited else {
      return clearCache(shard)
    }
    if succession.isUnchanged { return }
    let tables = Tables(settings)
    segment.reassign(zones: succession.zones) { resident in
      guard tables.hasGroup(resident.group),
        let zone = tables.zone(resident.group, of: resident.name, isDS: resident.qtype == RecordType.ds),
        succession.newKinds[zone] == succession.oldKinds[resident.zone]
      else { return nil }
      return zone
    }
    segment.set(epoch: epoch)
  }
}
