import Glibc
import Memory

/// 128 KiB that end at a page which may not be touched: what is put here ends there, so a read past its end kills the
/// test rather than going unseen.
@safe final class Arena: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  private let mapped: Int
  private static let size = 128 << 10
  private static let page = 4096

  init() {
    mapped = Self.size + Self.page
    unsafe base = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    precondition(unsafe mprotect(base + Self.size, Self.page, PROT_NONE) == 0)
  }

  deinit { unsafe munmap(base, mapped) }

  /// `octets` at the very end, valid until the next call. `room`: view this many bytes, of which they are the first.
  func put(_ octets: [UInt8], room: Int? = nil) -> Bytes {
    let count = room ?? octets.count
    // `count` bytes before the guard page, which this object maps as long as it lives.
    let bytes = unsafe Bytes(base: base + (Self.size - count), count: count)
    for (at, octet) in octets.enumerated() { bytes[at] = octet }
    return bytes
  }

  /// The same for what is written to: zeros.
  func room(_ count: Int) -> Bytes { put([UInt8](repeating: 0, count: count)) }
}

extension Bytes {
  /// A copy.
  var octets: [UInt8] { (0..<count).map { self[$0] } }
}
