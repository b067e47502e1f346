import Memory

/// Gives `body` a copy of the fuzzer's input in a heap block of exactly its size, so that AddressSanitizer sees an
/// access past its end. (`Bytes` would trap first, which counts as a crash too.)
func withInput(_ data: UnsafePointer<UInt8>, _ count: Int, _ body: (Bytes) -> Void) {
  let copy = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
  defer { unsafe copy.deallocate() }
  // libFuzzer's input is `count` bytes long, and so is the copy.
  unsafe copy.copyMemory(from: data, byteCount: count)
  body(unsafe Bytes(base: copy, count: count))
}
