/// A fixed number of elements with stable indices: taken, given back, never moved. Refuses rather than grows.
///
/// Memory is mapped at once and touched as elements are first taken; the one given back last is taken next, so a lightly
/// used slab stays in cache.
public struct Slab<Element: BitwiseCopyable>: ~Copyable {
  private let elements: Region
  private let links: Region  // 32 bits each: next free index + 1 while free, `taken` while taken
  private var firstFree = 0  // index + 1
  private var touched = 0
  public let capacity: Int
  public private(set) var count = 0
  private static var taken: UInt32 { .max }

  public init(capacity: Int) {
    self.capacity = capacity
    elements = Region(size: capacity * MemoryLayout<Element>.stride)
    links = Region(size: capacity * 4)
  }

  /// An index that holds `element` from now on; nil when all are taken.
  public mutating func take(_ element: Element) -> Int? {
    guard let index = takeUninitialized() else { return nil }
    unsafe (pointer + index).initialize(to: element)
    return index
  }

  /// An index whose element is to be assigned before it is read; nil when all are taken.
  public mutating func takeUninitialized() -> Int? {
    let index: Int
    if firstFree != 0 {
      index = firstFree &- 1
      firstFree = Int(links.bytes.u32(index &* 4))
    } else {
      guard touched < capacity else { return nil }
      index = touched
      touched &+= 1
    }
    links.bytes.set(u32: Self.taken, at: index &* 4)
    count &+= 1
    return index
  }

  public mutating func give(_ index: Int) {
    precondition(isTaken(index))
    links.bytes.set(u32: UInt32(truncatingIfNeeded: firstFree), at: index &* 4)
    firstFree = index &+ 1
    count &-= 1
  }

  @inline(__always) public func isTaken(_ index: Int) -> Bool {
    guard UInt(bitPattern: index) < UInt(bitPattern: touched) else { return false }
    // There is a link for each of the `capacity` elements, of which `touched` are in use.
    return unsafe links.bytes.address.load(fromByteOffset: index &* 4, as: UInt32.self) == Self.taken
  }

  /// The element at an index that is taken. (Addressors, because a `_modify` that is not inlined allocates a frame.)
  public subscript(index: Int) -> Element {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(address(index)) }
    @inline(__always) unsafeMutableAddress { unsafe address(index) }
  }

  /// Valid as long as the index stays taken.
  @inline(__always) @unsafe public func address(_ index: Int) -> UnsafeMutablePointer<Element> {
    precondition(isTaken(index))
    return unsafe pointer + index
  }

  // The region holds `capacity` elements, is aligned to a page, and elements are trivial: binding it for good is sound.
  @inline(__always) private var pointer: UnsafeMutablePointer<Element> {
    unsafe elements.bytes.address.assumingMemoryBound(to: Element.self)
  }
}
