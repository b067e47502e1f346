/// The two ends of a list whose links stand in a `Links` table.
public struct IndexList: BitwiseCopyable, Sendable {
  public fileprivate(set) var first = -1
  public fileprivate(set) var last = -1
  public fileprivate(set) var count = 0
  public init() {}
}

/// Links for lists of the indices of a `Slab`: each index is in at most one list of this table.
public struct Links: ~Copyable {
  private let memory: Region  // per index: previous + 1, next + 1, 32 bits each

  public init(capacity: Int) { memory = Region(size: capacity * 8) }

  private func previous(_ index: Int) -> Int { Int(memory.bytes.u32(index &* 8)) &- 1 }
  private func setPrevious(_ index: Int, _ value: Int) {
    memory.bytes.set(u32: UInt32(truncatingIfNeeded: value &+ 1), at: index &* 8)
  }

  /// The index after `index` in its list, or -1.
  public func next(_ index: Int) -> Int { Int(memory.bytes.u32(index &* 8 &+ 4)) &- 1 }
  private func setNext(_ index: Int, _ value: Int) {
    memory.bytes.set(u32: UInt32(truncatingIfNeeded: value &+ 1), at: index &* 8 &+ 4)
  }

  public func append(_ index: Int, to list: inout IndexList) {
    setPrevious(index, list.last)
    setNext(index, -1)
    if list.last >= 0 { setNext(list.last, index) } else { list.first = index }
    list.last = index
    list.count &+= 1
  }

  public func removeAll(from list: inout IndexList) {
    while list.first >= 0 { remove(list.first, from: &list) }
  }

  /// `index` must be in `list`.
  public func remove(_ index: Int, from list: inout IndexList) {
    let (before, after) = (previous(index), next(index))
    if before >= 0 { setNext(before, after) } else { list.first = after }
    if after >= 0 { setPrevious(after, before) } else { list.last = before }
    list.count &-= 1
  }
}
