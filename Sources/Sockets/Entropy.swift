import CSocket
import Memory

/// Unpredictable words from the kernel (getrandom(2)), fetched 512 at a time.
public struct Entropy: ~Copyable {
  private let words = Region(size: 4096)
  private var left = 0

  public init() {}

  public mutating func next() -> UInt64 {
    if left == 0 {
      // getrandom gives up to 256 bytes whole, more may be cut short by a signal.
      var at = 0
      while at < words.bytes.count {
        let part = words.bytes.slice(at, 256)
        if unsafe getrandom(part.address, part.count, 0) == part.count { at += 256 }
      }
      left = words.bytes.count
    }
    left &-= 8
    let word = words.bytes.word(left)
    // An id that was used is not in memory any more.
    words.bytes.set(word: 0, at: left)
    return word
  }
}
