import Corefile

/// A Corefile, which may import itself and read one variable.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  // libFuzzer's input is `count` bytes long.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  let text = String(decoding: bytes, as: UTF8.self)
  let environment = Environment(variables: ["X": "y"], files: ["Corefile": text, "a.conf": text])
  do {
    _ = try Corefile.parse(bytes, environment: environment)
  } catch {
    precondition(!error.description.isEmpty)
  }
  return 0
}
