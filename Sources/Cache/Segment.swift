public import Memory

/// One shard's part of the cache, of which it is the only writer; every shard reads it through `reader`.
///
/// Nothing is allocated after `init`, and nothing in the memory is an address, so another process may map it elsewhere.
public struct Segment: ~Copyable, Sendable {
  public let reader: SegmentReader
  let ghosts: Ghosts
  /// Kept for its life only; nil when the memory is the caller's.
  private let region: Region?

  /// Maps a region of `layout.size` bytes. Pages are taken as they are written.
  public init(_ layout: Layout) {
    let region = Region(size: layout.size)
    self.init(layout, region.bytes, keeping: consume region, origin: 0)
  }

  /// The same in zeroed memory of the caller's, at least `layout.size` bytes on a multiple of eight, which outlives it.
  public init(_ layout: Layout, memory: Bytes) { self.init(layout, memory, keeping: nil, origin: 0) }

  /// The segment that was made with `layout` in `memory` and whose writer has ended; nil if there is none such.
  public init?(resuming layout: Layout, memory: Bytes) {
    guard memory.count >= layout.size, layout.isWritten(to: Words(memory)) else { return nil }
    reader = SegmentReader(layout, memory: memory)
    ghosts = Ghosts(words: Words(memory).slice(layout.ghostsAt, layout.ghostWords))
    region = nil
  }

  /// `origin` is a position in the lap with which the logs start; tests begin shortly before positions outgrow a slot.
  package init(_ layout: Layout, memory: Bytes, origin: UInt64) {
    self.init(layout, memory, keeping: nil, origin: origin)
  }

  private init(_ layout: Layout, _ memory: Bytes, keeping region: consuming Region?, origin: UInt64) {
    precondition(memory.count >= layout.size)
    let memory = Words(memory)
    layout.writeFacts(memory)
    reader = SegmentReader(layout, memory)
    ghosts = Ghosts(words: memory.slice(layout.ghostsAt, layout.ghostWords))
    self.region = region
    for at in 0..<4 {
      let log = log(LogName(rawValue: UInt8(at)))
      let start = origin & ~log.mask
      log.set(tail: start)
      log.set(head: start)
    }
  }

  var index: Index { reader.index }
  var counters: Counters { reader.counters }

  func log(_ name: LogName) -> Log { reader.log(name) }
}
