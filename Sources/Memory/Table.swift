/// A fixed number of elements, all there from the start: a `Slab` of which nothing is given back, so that an access is
/// one comparison.
public struct Table<Element: BitwiseCopyable>: ~Copyable {
  private let elements: Region
  public let count: Int

  /// Each element is to be assigned before it is read.
  public init(uninitialized count: Int) {
    self.count = count
    elements = Region(size: max(count, 1) * MemoryLayout<Element>.stride)
  }

  public init(_ elements: [Element]) {
    self.init(uninitialized: elements.count)
    for (index, element) in elements.enumerated() { unsafe (pointer + index).initialize(to: element) }
  }

  public subscript(index: Int) -> Element {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(address(index)) }
    @inline(__always) unsafeMutableAddress { unsafe address(index) }
  }

  @inline(__always) private func address(_ index: Int) -> UnsafeMutablePointer<Element> {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    return unsafe pointer + index
  }

  // The region holds `count` elements, is aligned to a page, and elements are trivial: binding it for good is sound.
  @inline(__always) private var pointer: UnsafeMutablePointer<Element> {
    unsafe elements.bytes.address.assumingMemoryBound(to: Element.self)
  }
}
