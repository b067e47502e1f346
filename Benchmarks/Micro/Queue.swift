import Memory

/// A queue in a region, of at most `capacity` elements between two moments at which it is empty. Using it counts no
/// reference and tracks no access, so it adds little to what is measured.
struct Queue<Element: BitwiseCopyable>: ~Copyable {
  private let elements: Region
  private let ends: Region  // offsets of the first element and of the next one to come

  init(capacity: Int) {
    elements = Region(size: capacity * MemoryLayout<Element>.stride)
    ends = Region(size: 16)
  }

  private var first: Int {
    get { Int(truncatingIfNeeded: ends.bytes.word(0)) }
    nonmutating set { ends.bytes.set(word: UInt64(newValue), at: 0) }
  }

  private var end: Int {
    get { Int(truncatingIfNeeded: ends.bytes.word(8)) }
    nonmutating set { ends.bytes.set(word: UInt64(newValue), at: 8) }
  }

  var count: Int { (end &- first) / MemoryLayout<Element>.stride }
  var isEmpty: Bool { first == end }

  subscript(index: Int) -> Element {
    elements.bytes.load(Element.self, at: first &+ index &* MemoryLayout<Element>.stride)
  }

  func append(_ element: Element) {
    elements.bytes.store(element, at: end)
    end &+= MemoryLayout<Element>.stride
  }

  func removeFirst() -> Element {
    let element = self[0]
    first &+= MemoryLayout<Element>.stride
    if isEmpty { removeAll() }
    return element
  }

  func removeAll() {
    first = 0
    end = 0
  }
}
