import Memory

extension Bytes {
  func octets() -> [UInt8] {
    // As many bytes are valid as the view says.
    unsafe Array(UnsafeRawBufferPointer(start: address, count: count))
  }

  func holds(_ octets: [UInt8]) -> Bool {
    unsafe count == octets.count && octets.elementsEqual(UnsafeRawBufferPointer(start: address, count: count))
  }

  func put(_ octets: some Collection<UInt8>, at: Int) {
    for (offset, octet) in octets.enumerated() { self[at + offset] = octet }
  }

  /// First and one past the last address, to tell whether two views overlap.
  var range: Range<UInt> {
    let start = unsafe UInt(bitPattern: address)
    return start..<start + UInt(count)
  }
}
