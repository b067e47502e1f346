import FuzzTargets

/// The target that the program's name ends in.
private let target: FuzzTarget = {
  let name = CommandLine.arguments[0].split(separator: "/").last.map(String.init) ?? ""
  guard let target = FuzzTarget(rawValue: name) else { fatalError("no target named \(name)") }
  return target
}()

@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  // libFuzzer's input is `count` octets long.
  target.run(unsafe Array(UnsafeBufferPointer(start: data, count: count)))
  return 0
}
