import Memory
import Wire

/// A datagram and a stream's message as a client sends them: admission, the key's fold, and the reply.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  return 0
}
