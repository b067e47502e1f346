import Synchronization

/// What all regions of this process may come to hold, however much of it is touched.
public enum MappedMemory {
  private static let total = Atomic<Int>(0)

  /// Whole pages.
  public static var bytes: Int { total.load(ordering: .relaxed) }

  static func add(_ size: Int) { total.add(pages(size), ordering: .relaxed) }
  static func remove(_ size: Int) { total.subtract(pages(size), ordering: .relaxed) }

  private static func pages(_ size: Int) -> Int { (size + 4095) & ~4095 }
}
